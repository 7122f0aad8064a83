// Experts over rows_body.h; included once an ISA, after it and math_body.h.

namespace {

inline void SiluTimes(const float* gate, const float* up, float* out, int count) {
  for (int i = 0; i < count; i += 16) {
    const int n = Smaller(count - i, 16);
    StoreN(out + i, Mul(Silu(LoadN(gate + i, n, 0.0f)), LoadN(up + i, n, 0.0f)), n);
  }
}

// Both products of the part's columns into y [num_rows][2 · kGateUpColumns]: the gate's, then from
// kGateUpColumns on the other's.
template <typename XRows>
inline void GateUpProducts(const ExpertPart& part, const XRows& rows, int num_rows, float* y) {
  const WeightView gate = Rows(part.weights->gate, part.column_begin, part.num_columns);
  const WeightView up = Rows(part.weights->up, part.column_begin, part.num_columns);
  Block block{.num_rows = num_rows,
              .depth = gate.columns(),
              .num_columns = part.num_columns,
              .y = y,
              .y_stride = 2 * kGateUpColumns,
              .scratch = part.scratch};
  // Whole ones side by side: the rows are staged once for both.
  if (HasPanels(gate) && HasPanels(up) && part.num_columns == kGateUpColumns) {
    block.num_columns = 2 * kGateUpColumns;
    RowsTimes(rows, TwoStreams{PanelsOf(gate), PanelsOf(up), kGateUpColumns / kPanelColumns},
              block);
  } else {
    RowsTimesWeight(rows, gate, block);
    block.y += kGateUpColumns;
    RowsTimesWeight(rows, up, block);
  }
}

template <typename XRows>
inline void GateUpOf(const ExpertPart& part, const XRows& rows) {
  float* products = part.scratch + kGemmScratchFloats;
  const TensorView& activations = part.activations;
  for (int r = 0; r < part.num_rows; r += kGemmRows) {
    const int num_rows = Smaller(part.num_rows - r, kGemmRows);
    GateUpProducts(part, rows.From(r), num_rows, products);
    for (int t = 0; t < num_rows; ++t) {
      const float* gate = products + t * 2 * kGateUpColumns;
      float* out = activations.f32() + (r + t) * activations.strides[0] + part.column_begin;
      SiluTimes(gate, gate + kGateUpColumns, out, part.num_columns);
    }
  }
}

template <typename Exchange>
inline void NarrowInto(const float* from, Exchange* to, int count) {
  for (int i = 0; i < count; i += 16) {
    const int n = Smaller(count - i, 16);
    StoreN(to + i, LoadN(from + i, n, 0.0f), n);
  }
}

template <typename Exchange>
inline void NarrowRows(const ExpertPart& part, const float* products, int first, int num_rows) {
  for (int t = 0; t < num_rows; ++t)
    NarrowInto(products + t * kDownColumns,
               static_cast<Exchange*>(part.outputs[first + t]) + part.column_begin,
               part.num_columns);
}

}  // namespace

void GateUpPart(const ExpertPart& part) {
  if (part.shared != nullptr)
    GateUpOf(part, StridedRows{part.shared->x.f32(), part.shared->x.strides[0]});
  else if (part.exchange_dtype == DType::kBf16)
    GateUpOf(part, PointerRows<Bf16>{part.inputs});
  else
    GateUpOf(part, PointerRows<float>{part.inputs});
}

void DownPart(const ExpertPart& part) {
  const TensorView& activations = part.activations;
  const WeightView down = Rows(part.weights->down, part.column_begin, part.num_columns);
  for (int r = 0; r < part.num_rows; r += kGemmRows) {
    const StridedRows rows{activations.f32() + r * activations.strides[0], activations.strides[0]};
    Block block{.num_rows = Smaller(part.num_rows - r, kGemmRows),
                .depth = down.columns(),
                .num_columns = part.num_columns,
                .y = part.scratch + kGemmScratchFloats,
                .y_stride = kDownColumns,
                .scratch = part.scratch};
    if (part.shared != nullptr) {
      block.y_stride = part.shared->y.strides[0];
      block.y = part.shared->y.f32() + r * block.y_stride + part.column_begin;
    }
    RowsTimesWeight(rows, down, block);
    if (part.shared != nullptr) continue;
    if (part.exchange_dtype == DType::kBf16)
      NarrowRows<Bf16>(part, block.y, r, block.num_rows);
    else
      NarrowRows<float>(part, block.y, r, block.num_rows);
  }
}
