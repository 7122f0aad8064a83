// Permutation over F32x16; included once an ISA (see kernels/simd/f32x16.h).

namespace {

template <typename To>
inline void NarrowRow(const float* from, To* to, int64_t count) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) Store(to + i, Load(from + i));
  const int rest = static_cast<int>(count - i);
  if (rest > 0) StoreN(to + i, LoadN(from + i, rest, 0.0f), rest);
}

template <typename Exchange>
inline void CombineRowOf(const CombineArgs& args, int64_t t) {
  const int64_t count = args.hidden.dims[1];
  float* hidden = args.hidden.f32() + t * args.hidden.strides[0];
  const float* shared = args.shared.f32() + t * args.shared.strides[0];
  const F32x16 gate = Sigmoid(Set1(args.shared_gate.f32()[t * args.shared_gate.strides[0]]));
  const float* weights = args.weights.data() + t * args.k;
  const void* const* rows = args.expert_rows.data() + t * args.k;
  for (int64_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    F32x16 acc = Mul(gate, LoadN(shared + i, n, 0.0f));
    for (int e = 0; e < args.k; ++e) {
      const F32x16 y = LoadN(static_cast<const Exchange*>(rows[e]) + i, n, 0.0f);
      acc = Fma(Set1(weights[e]), y, acc);
    }
    StoreN(hidden + i, Add(LoadN(hidden + i, n, 0.0f), acc), n);
  }
}

}  // namespace

// Outputs [begin, end).
void RoundRowRange(const RoundRowsArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const float* from = args.x.f32() + args.source_rows[static_cast<size_t>(i)] * args.x.strides[0];
    void* to = args.outputs[static_cast<size_t>(i)];
    if (args.dtype == DType::kBf16)
      NarrowRow(from, static_cast<Bf16*>(to), args.x.dims[1]);
    else
      NarrowRow(from, static_cast<float*>(to), args.x.dims[1]);
  }
}

void CombineRow(const CombineArgs& args, int64_t t) {
  if (args.exchange_dtype == DType::kBf16)
    CombineRowOf<Bf16>(args, t);
  else
    CombineRowOf<float>(args, t);
}
