// Packing over gemm_body.h; included once a page, after it.

namespace {

// Sixteen columns of a panel, of which the first w.num_columns exist.
[[gnu::noinline, gnu::flatten]] void PackHalfPanel(const WeightRows<Bf16>& w, int64_t depth,
                                                   Bf16* half) {
  constexpr int kStep = Transposed<Bf16>::kStep;
  const Mask16 exists = FirstN(Smaller(w.num_columns, 16));
  for (int64_t k = 0; k < depth; k += kStep) {
    Transposed<Bf16> t;
    if (depth - k >= kStep)
      t.LoadFull(w, k);
    else
      t.LoadTail(w, k, static_cast<int>(depth - k));
    const int64_t pairs = (depth - k + 1) / 2;
    for (int j = 0; j < kStep / 2 && j < pairs; ++j)
      StoreU(half + (k / 2 + j) * 2 * kPanelColumns, BitsOf(Select(exists, t.rows[j], Zero())));
  }
}

}  // namespace

void PackPanelOf(const TensorView& w, int64_t panel, Bf16* to) {
  const int64_t first = panel * kPanelColumns, depth = w.dims[1], stride = w.strides[0];
  const int64_t left = w.dims[0] - first;
  for (int half = 0; half < 2; ++half) {
    const int columns = static_cast<int>(left - 16 * half < 16 ? left - 16 * half : 16);
    Bf16* at = to + 32 * half;
    if (columns > 0) {
      PackHalfPanel({w.bf16() + (first + 16 * half) * stride, stride, columns}, depth, at);
    } else {
      for (int64_t k = 0; k < depth; k += 2) StoreU(at + k * kPanelColumns, SetU(0));
    }
  }
}
