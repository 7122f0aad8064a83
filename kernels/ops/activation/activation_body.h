// Element-wise operators over F32x16; included once a page (see kernels/simd/f32x16.h).

namespace {

template <typename Operation>
inline void OverPairs(const PairwiseArgs& args, int64_t begin, int64_t end, Operation operation) {
  const int64_t count = args.a.dims[1];
  for (int64_t t = begin; t < end; ++t) {
    const float* a = args.a.f32() + t * args.a.strides[0];
    const float* b = args.b.f32() + t * args.b.strides[0];
    float* out = args.out.f32() + t * args.out.strides[0];
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) Store(out + i, operation(Load(a + i), Load(b + i)));
    const int rest = static_cast<int>(count - i);
    if (rest > 0)
      StoreN(out + i, operation(LoadN(a + i, rest, 0.0f), LoadN(b + i, rest, 0.0f)), rest);
  }
}

// Functors and not lambdas: a lambda's call operator escapes Clang's target region.
struct SiluMulOf {
  F32x16 operator()(F32x16 a, F32x16 b) const { return Mul(Silu(a), b); }
};
struct AddOf {
  F32x16 operator()(F32x16 a, F32x16 b) const { return Add(a, b); }
};

}  // namespace

void SiluMulRows(const PairwiseArgs& args, int64_t begin, int64_t end) {
  OverPairs(args, begin, end, SiluMulOf{});
}
void AddRows(const PairwiseArgs& args, int64_t begin, int64_t end) {
  OverPairs(args, begin, end, AddOf{});
}
