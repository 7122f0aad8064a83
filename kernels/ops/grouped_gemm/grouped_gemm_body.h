// Experts over gemm_body.h; included once a page, after it and math_body.h.

namespace {

// `rows` of x times the columns [first, first + num_columns) of `weight`: into y
// [num_rows][num_columns].
template <typename Rows>
inline void ExpertProduct(const Rows& rows, const WeightView& weight, int first, int num_columns,
                          const Block& block) {
  OnWeightType(kernels::Rows(weight, first, num_columns),
               [&](const auto& w) { RowsTimes(rows, w, block); });
}

// The same for one row.
inline void ExpertRowProduct(const float* x, const WeightView& weight, int first, int num_columns,
                             float* y) {
  OnWeightType(kernels::Rows(weight, first, num_columns),
               [&](const auto& w) { RowTimes(x, weight.columns(), w, y); });
}

inline void SiluTimes(const float* gate, const float* up, float* out, int count) {
  for (int i = 0; i < count; i += 16) {
    const int n = Smaller(count - i, 16);
    StoreN(out + i, Mul(Silu(LoadN(gate + i, n, 0.0f)), LoadN(up + i, n, 0.0f)), n);
  }
}

template <typename Exchange>
inline void GateUpPartOf(const GroupedSwiGluArgs& args, const ExpertPart& part) {
  const ExpertRows& expert = *part.expert;
  float* gate = part.scratch + kGemmScratchFloats;
  float* up = gate + kProductFloats / 2;
  float* widened = gate + kProductFloats;
  const ExpertWeights& weights = expert.weights;
  const int columns = part.num_columns;
  for (int r = 0; r < expert.num_rows; r += kGemmRows) {
    const int num_rows = Smaller(expert.num_rows - r, kGemmRows);
    const int first_row = expert.row_begin + r;
    const PointerRows<Exchange> rows{args.inputs.data() + first_row};
    if (num_rows == 1) {
      WidenInto(rows.Row(0), args.hidden, widened);
      ExpertRowProduct(widened, weights.gate, part.column_begin, columns, gate);
      ExpertRowProduct(widened, weights.up, part.column_begin, columns, up);
    } else {
      ExpertProduct(rows, weights.gate, part.column_begin, columns,
                    Block{num_rows, args.hidden, gate, kGateUpColumns, part.scratch});
      ExpertProduct(rows, weights.up, part.column_begin, columns,
                    Block{num_rows, args.hidden, up, kGateUpColumns, part.scratch});
    }
    float* out = args.workspace.f32() + first_row * args.workspace.strides[0] + part.column_begin;
    for (int t = 0; t < num_rows; ++t)
      SiluTimes(gate + t * kGateUpColumns, up + t * kGateUpColumns,
                out + t * args.workspace.strides[0], columns);
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
inline void DownPartOf(const GroupedSwiGluArgs& args, const ExpertPart& part) {
  const ExpertRows& expert = *part.expert;
  float* product = part.scratch + kGemmScratchFloats;
  for (int r = 0; r < expert.num_rows; r += kGemmRows) {
    const int num_rows = Smaller(expert.num_rows - r, kGemmRows);
    const int first_row = expert.row_begin + r;
    const StridedRows rows{args.workspace.f32() + first_row * args.workspace.strides[0],
                           args.workspace.strides[0]};
    if (num_rows == 1)
      ExpertRowProduct(rows.Row(0), expert.weights.down, part.column_begin, part.num_columns,
                       product);
    else
      ExpertProduct(rows, expert.weights.down, part.column_begin, part.num_columns,
                    Block{num_rows, args.intermediate, product, kDownColumns, part.scratch});
    for (int t = 0; t < num_rows; ++t) {
      void* out = args.outputs[static_cast<size_t>(first_row + t)];
      NarrowInto(product + t * kDownColumns, static_cast<Exchange*>(out) + part.column_begin,
                 part.num_columns);
    }
  }
}

}  // namespace

void GateUpPart(const GroupedSwiGluArgs& args, const ExpertPart& part) {
  if (args.exchange_dtype == DType::kBf16)
    GateUpPartOf<Bf16>(args, part);
  else
    GateUpPartOf<float>(args, part);
}

void DownPart(const GroupedSwiGluArgs& args, const ExpertPart& part) {
  if (args.exchange_dtype == DType::kBf16)
    DownPartOf<Bf16>(args, part);
  else
    DownPartOf<float>(args, part);
}
