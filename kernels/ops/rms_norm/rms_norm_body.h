// Norms over F32x16; included once an ISA (see kernels/simd/f32x16.h).

namespace {

// Row `index` of a view seen as [T · N, D].
inline float* RowOf(const TensorView& view, int64_t index) {
  if (view.rank == 2) return view.f32() + index * view.strides[0];
  const int64_t inner = view.dims[1];
  return view.f32() + index / inner * view.strides[0] + index % inner * view.strides[1];
}

// Σ x² by the 16-lane tree: element i in lane i mod 16, each lane one fma after another.
inline float SumOfSquares(const float* x, int64_t count) {
  F32x16 sum = Zero();
  for (int64_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    const F32x16 v = n == 16 ? Load(x + i) : LoadN(x + i, n, 0.0f);
    sum = Fma(v, v, sum);
  }
  return ReduceAdd(sum);
}

// 1 / sqrt(sum / count + epsilon) in all lanes.
inline F32x16 InverseRms(const float* x, int64_t count, float epsilon) {
  const F32x16 mean = Div(Set1(SumOfSquares(x, count)), Set1(static_cast<float>(count)));
  return Rsqrt(Add(mean, Set1(epsilon)));
}

template <typename Weight>
inline void NormRow(const float* x, const Weight* weight, float epsilon, float* y, int64_t count) {
  const F32x16 scale = InverseRms(x, count, epsilon);
  for (int64_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    const F32x16 w = Add(Set1(1.0f), LoadN(weight + i, n, 0.0f));
    StoreN(y + i, Mul(Mul(LoadN(x + i, n, 0.0f), scale), w), n);
  }
}

}  // namespace

void RmsNormRows(const RmsNormArgs& args, int64_t begin, int64_t end) {
  const int64_t count = args.weight.dims[0];
  for (int64_t i = begin; i < end; ++i) {
    const float* x = RowOf(args.x, i);
    float* y = RowOf(args.y, i);
    if (args.weight.dtype == DType::kBf16)
      NormRow(x, args.weight.bf16(), args.epsilon, y, count);
    else
      NormRow(x, args.weight.f32(), args.epsilon, y, count);
  }
}

void AddRmsNormRows(const AddRmsNormArgs& args, int64_t begin, int64_t end) {
  const int64_t count = args.weight.dims[0];
  for (int64_t i = begin; i < end; ++i) {
    float* x = RowOf(args.x, i);
    const float* added = RowOf(args.added, i);
    for (int64_t j = 0; j < count; j += 16) {
      const int n = count - j < 16 ? static_cast<int>(count - j) : 16;
      StoreN(x + j, Add(LoadN(x + j, n, 0.0f), LoadN(added + j, n, 0.0f)), n);
    }
    RmsNormRows({.x = args.x, .weight = args.weight, .epsilon = args.epsilon, .y = args.y}, i,
                i + 1);
  }
}
