// Maximum and sum of exponentials of logits over F32x16; included once an ISA (see
// kernels/simd/f32x16.h).

// The largest that is not NaN; −inf where there is none.
void LargestLogit(const float* x, size_t count, float* largest) {
  const float least = -std::numeric_limits<float>::infinity();
  F32x16 most = Set1(least);
  for (size_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    most = Max(n == 16 ? Load(x + i) : LoadN(x + i, n, least), most);
  }
  *largest = ReduceMax(most);
}

// Σ e^(x − largest) by the 16-lane tree; NaN where one of x is.
void SumExp(const float* x, size_t count, float largest, float* sum) {
  const F32x16 most = Set1(largest);
  F32x16 lanes = Zero();
  for (size_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    const F32x16 v =
        n == 16 ? Load(x + i) : LoadN(x + i, n, -std::numeric_limits<float>::infinity());
    // The largest itself gives exactly 1, also where it is infinite.
    lanes = Add(lanes, Exp(Select(Equal(v, most), Zero(), Sub(v, most))));
  }
  *sum = ReduceAdd(lanes);
}
