// Packing over F32x16; included once an ISA, after rows_body.h.

void PackPanelOf(const TensorView& w, int64_t panel, Bf16* to) {
  const int64_t first = panel * kPanelColumns, depth = w.dims[1], stride = w.strides[0];
  const int64_t left = w.dims[0] - first;
  for (int v = 0; v < 2; ++v) {
    const int columns = static_cast<int>(left - 16 * v < 16 ? left - 16 * v : 16);
    Bf16* at = to + 32 * v;
    if (columns > 0) {
      PackColumns({w.bf16() + (first + 16 * v) * stride, stride, columns}, 0, depth, at);
    } else {
      for (int64_t k = 0; k < depth; k += 2) StoreU(at + k * kPanelColumns, SetU(0));
    }
  }
}
