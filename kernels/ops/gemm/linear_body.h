// A linear layer over gemm_body.h; included once a page, after it.

void LinearPart(const LinearArgs& part, float* scratch) {
  const int num_rows = static_cast<int>(part.x.dims[0]);
  const int64_t depth = part.x.dims[1];
  OnWeightType(part.w, [&](const auto& w) {
    if (num_rows == 1) {
      RowTimes(part.x.f32(), depth, w, part.y.f32());
    } else {
      RowsTimes(StridedRows{part.x.f32(), part.x.strides[0]}, w,
                Block{num_rows, depth, part.y.f32(), part.y.strides[0], scratch});
    }
  });
}
