// The chains of every linear layer over F32x16; included once an ISA (see kernels/simd/f32x16.h),
// by gemm and by grouped_gemm. y[n] = Σ_k x[k]·w[n][k], one Fma after another in ascending k from
// +0, lanes over n: one row or many, whatever the tile, every output runs this same chain.

namespace {

inline constexpr bool kIsAvx512 = kIsaName[3] == '5';
inline constexpr bool kIsAvx2 = kIsaName[3] == '2';
inline int Smaller(int a, int b) { return a < b ? a : b; }

// Weights of up to 16 columns: row n at w + n · stride; rows past `num_columns` read the last one
// again and are never stored.
template <typename Weight>
struct WeightRows {
  const Weight* w;
  int64_t stride;
  int num_columns;
  const Weight* Row(int n) const { return w + (n < num_columns ? n : num_columns - 1) * stride; }
  WeightRows From(int n) const { return {w + n * stride, stride, num_columns - n}; }
};

// The same with a scale for each block of 128 × 128 of the whole matrix, whose row `first_row` is
// the first here.
template <>
struct WeightRows<F8E4m3> {
  const F8E4m3* w;
  int64_t stride;
  int num_columns;
  const TensorView* scales;
  int64_t first_row;
  int Clamped(int n) const { return n < num_columns ? n : num_columns - 1; }
  const F8E4m3* Row(int n) const { return w + Clamped(n) * stride; }
  WeightRows From(int n) const {
    return {w + n * stride, stride, num_columns - n, scales, first_row + n};
  }
  float Scale(int n, int64_t k) const {
    const int64_t at = (first_row + n) / kScaleBlock * scales->strides[0] + k / kScaleBlock;
    return scales->dtype == DType::kF32 ? scales->f32()[at] : ToFloat(scales->bf16()[at]);
  }
  // Lane n: the scale of column n around k.
  F32x16 Scales(int64_t k) const {
    if (first_row / kScaleBlock == (first_row + Clamped(15)) / kScaleBlock)
      return Set1(Scale(0, k));
    float lanes[16];
    for (int n = 0; n < 16; ++n) lanes[n] = Scale(Clamped(n), k);
    return Load(lanes);
  }
};

// Calls body(WeightRows of all rows of `weight`).
template <typename Body>
inline void OnWeightType(const WeightView& weight, Body&& body) {
  const int64_t stride = weight.values.strides[0];
  const int columns = static_cast<int>(weight.rows());
  switch (weight.values.dtype) {
    case DType::kF32:
      return body(WeightRows<float>{weight.values.f32(), stride, columns});
    case DType::kBf16:
      return body(WeightRows<Bf16>{weight.values.bf16(), stride, columns});
    case DType::kF16:
      return body(WeightRows<F16>{weight.values.f16(), stride, columns});
    case DType::kF8E4m3:
      return body(WeightRows<F8E4m3>{weight.values.f8e4m3(), stride, columns, &weight.scales,
                                     weight.first_row});
  }
}

// Weights of 16 columns for k … k + kStep − 1 in chain order: Visit(j, weights of k + j).
// bf16 is transposed in pairs, so one transpose serves 32 values of k.
template <typename Weight>
struct Transposed;

template <>
struct Transposed<float> {
  static constexpr int kStep = 16;
  F32x16 rows[16];
  void LoadFull(const WeightRows<float>& w, int64_t k) {
    for (int n = 0; n < 16; ++n) rows[n] = Load(w.Row(n) + k);
    Transpose(rows);
  }
  void LoadTail(const WeightRows<float>& w, int64_t k, int count) {
    for (int n = 0; n < 16; ++n) rows[n] = LoadN(w.Row(n) + k, count, 0.0f);
    Transpose(rows);
  }
  F32x16 At(int j) const { return rows[j]; }
};

template <>
struct Transposed<Bf16> {
  static constexpr int kStep = 32;
  F32x16 rows[16];  // lane n: the pair (k + 2j, k + 2j + 1) of column n
  void LoadFull(const WeightRows<Bf16>& w, int64_t k) {
    for (int n = 0; n < 16; ++n) rows[n] = FromBits(LoadU(w.Row(n) + k));
    Transpose(rows);
  }
  void LoadTail(const WeightRows<Bf16>& w, int64_t k, int count) {
    Bf16 copy[32];
    for (int n = 0; n < 16; ++n) {
      for (int j = 0; j < 32; ++j) copy[j] = j < count ? w.Row(n)[k + j] : Bf16{};
      rows[n] = FromBits(LoadU(copy));
    }
    Transpose(rows);
  }
  F32x16 At(int j) const {
    const U32x16 pair = BitsOf(rows[j / 2]);
    return FromBits(j % 2 == 0 ? ShiftLeftU<16>(pair) : AndU(pair, SetU(0xffff0000u)));
  }
};

template <>
struct Transposed<F16> {
  static constexpr int kStep = 16;
  F32x16 rows[16];
  void LoadFull(const WeightRows<F16>& w, int64_t k) {
    for (int n = 0; n < 16; ++n) rows[n] = Load(w.Row(n) + k);
    Transpose(rows);
  }
  void LoadTail(const WeightRows<F16>& w, int64_t k, int count) {
    for (int n = 0; n < 16; ++n) rows[n] = LoadN(w.Row(n) + k, count, 0.0f);
    Transpose(rows);
  }
  F32x16 At(int j) const { return rows[j]; }
};

// A step lies inside one block of scales: k is a multiple of 16.
template <>
struct Transposed<F8E4m3> {
  static constexpr int kStep = 16;
  F32x16 rows[16];
  void LoadFull(const WeightRows<F8E4m3>& w, int64_t k) {
    for (int n = 0; n < 16; ++n) rows[n] = Load(w.Row(n) + k);
    TransposeAndScale(w.Scales(k));
  }
  void LoadTail(const WeightRows<F8E4m3>& w, int64_t k, int count) {
    for (int n = 0; n < 16; ++n) rows[n] = LoadN(w.Row(n) + k, count, 0.0f);
    TransposeAndScale(w.Scales(k));
  }
  void TransposeAndScale(F32x16 scales) {
    Transpose(rows);
    for (int j = 0; j < 16; ++j) rows[j] = Mul(rows[j], scales);
  }
  F32x16 At(int j) const { return rows[j]; }
};

// Row-major weights are read from sixteen places, which memory does not like. While one group of 16
// rows is read, a later one is fetched to L2 in the order of its bytes, a step's worth each step.
template <typename Weight>
class LaterRows {
 public:
  // Those `rows_ahead` rows later, for reading from k_begin on.
  LaterRows(const WeightRows<Weight>& w, int rows_ahead, int64_t k_begin)
      : at_(reinterpret_cast<const char*>(w.w) +
            (rows_ahead * w.stride + 16 * k_begin) * static_cast<int64_t>(sizeof(Weight))) {}
  void Fetch() {
    constexpr int kBytes = 16 * Transposed<Weight>::kStep * static_cast<int>(sizeof(Weight));
    for (int line = 0; line < kBytes; line += 64) PrefetchL2(at_ + line);
    at_ += kBytes;
  }

 private:
  const char* at_;
};

// --- One row of x, row-major weights: no scratch, they go from memory through a transpose into the
// chains.

template <typename Weight>
inline F32x16 RowTimesColumns(const float* x, int64_t depth, const WeightRows<Weight>& w) {
  constexpr int kStep = Transposed<Weight>::kStep;
  F32x16 acc = Zero();
  Transposed<Weight> t;
  LaterRows<Weight> later(w, 16, 0);
  int64_t k = 0;
  for (; k + kStep <= depth; k += kStep) {
    later.Fetch();
    t.LoadFull(w, k);
#pragma GCC unroll 32
    for (int j = 0; j < kStep; ++j) acc = Fma(Set1(x[k + j]), t.At(j), acc);
  }
  const int rest = static_cast<int>(depth - k);
  if (rest > 0) t.LoadTail(w, k, rest);
  for (int j = 0; j < rest; ++j) acc = Fma(Set1(x[k + j]), t.At(j), acc);
  return acc;
}

// y[0 … num_columns) = x · wᵀ. A function of its own for each type, and flat: a compiler stops
// inlining where a caller or a file has grown too much, whatever an operation on sixteen lanes
// costs.
template <typename Weight>
[[gnu::noinline, gnu::flatten]] void RowTimes(const float* x, int64_t depth,
                                              const WeightRows<Weight>& w, float* y) {
  for (int n = 0; n < w.num_columns; n += 16) {
    const WeightRows<Weight> columns = w.From(n);
    StoreN(y + n, RowTimesColumns(x, depth, columns), Smaller(columns.num_columns, 16));
  }
}

}  // namespace
