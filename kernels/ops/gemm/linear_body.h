// A linear layer over gemm_body.h; included once a page, after it.

namespace {

template <typename Weight>
inline void LinearPartOf(const LinearArgs& part, const Weight* weights, float* scratch) {
  const WeightRows<Weight> w{weights, part.w.strides[0], static_cast<int>(part.w.dims[0])};
  const int num_rows = static_cast<int>(part.x.dims[0]);
  if (num_rows == 1) {
    RowTimes(part.x.f32(), part.x.dims[1], w, part.y.f32());
    return;
  }
  RowsTimes(StridedRows{part.x.f32(), part.x.strides[0]}, w,
            Block{num_rows, part.x.dims[1], part.y.f32(), part.y.strides[0], scratch});
}

}  // namespace

void LinearPart(const LinearArgs& part, float* scratch) {
  if (part.w.dtype == DType::kBf16)
    LinearPartOf(part, part.w.bf16(), scratch);
  else
    LinearPartOf(part, part.w.f32(), scratch);
}
