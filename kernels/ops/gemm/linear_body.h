// A linear layer over rows_body.h; included once an ISA, after it.

void LinearPart(const LinearArgs& part, float* scratch) {
  RowsTimesWeight(StridedRows{part.x.f32(), part.x.strides[0]}, part.w,
                  Block{.num_rows = static_cast<int>(part.x.dims[0]),
                        .depth = part.x.dims[1],
                        .num_columns = static_cast<int>(part.w.rows()),
                        .y = part.y.f32(),
                        .y_stride = part.y.strides[0],
                        .scratch = scratch});
}
