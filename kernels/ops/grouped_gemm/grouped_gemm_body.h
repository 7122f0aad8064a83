// Experts over gemm_body.h; included once a page, after it and math_body.h.

namespace {

// `rows` of x times the columns of `part`: into y [num_rows][stride].
template <typename XRows>
inline void ExpertProduct(const XRows& rows, int num_rows, const WeightView& weight,
                          const ExpertPart& part, float* y, int64_t stride) {
  RowsTimesWeight(rows, Rows(weight, part.column_begin, part.num_columns),
                  Block{.num_rows = num_rows,
                        .depth = weight.columns(),
                        .num_columns = part.num_columns,
                        .y = y,
                        .y_stride = stride,
                        .scratch = part.scratch});
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
  const ExpertWeights& weights = expert.weights;
  const int columns = part.num_columns;
  for (int r = 0; r < expert.num_rows; r += kGemmRows) {
    const int num_rows = Smaller(expert.num_rows - r, kGemmRows);
    const int first_row = expert.row_begin + r;
    const PointerRows<Exchange> rows{args.inputs.data() + first_row};
    ExpertProduct(rows, num_rows, weights.gate, part, gate, kGateUpColumns);
    ExpertProduct(rows, num_rows, weights.up, part, up, kGateUpColumns);
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
    ExpertProduct(rows, num_rows, expert.weights.down, part, product, kDownColumns);
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
