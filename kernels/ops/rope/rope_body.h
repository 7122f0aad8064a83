// Rope over F32x16; included once an ISA (see kernels/simd/f32x16.h).

namespace {

inline void RotateHead(float* x, const float* cos, const float* sin, int half) {
  for (int i = 0; i < half; i += 16) {
    const int n = half - i < 16 ? half - i : 16;
    const F32x16 c = LoadN(cos + i, n, 0.0f);
    const F32x16 s = LoadN(sin + i, n, 0.0f);
    const F32x16 x1 = LoadN(x + i, n, 0.0f);
    const F32x16 x2 = LoadN(x + half + i, n, 0.0f);
    const F32x16 x2_sin = Mul(x2, s);
    const F32x16 minus_x2_sin = FromBits(AddU(BitsOf(x2_sin), SetU(0x80000000u)));  // sign flipped
    StoreN(x + i, Fma(x1, c, minus_x2_sin), n);
    StoreN(x + half + i, Fma(x2, c, Mul(x1, s)), n);
  }
}

}  // namespace

void RopeRows(const RopeArgs& args, int64_t begin, int64_t end) {
  const int half = static_cast<int>(args.cos.dims[1]);
  for (int64_t t = begin; t < end; ++t) {
    const float* cos = args.cos.f32() + t * args.cos.strides[0];
    const float* sin = args.sin.f32() + t * args.sin.strides[0];
    for (int64_t head = 0; head < args.x.dims[1]; ++head)
      RotateHead(args.x.f32() + t * args.x.strides[0] + head * args.x.strides[1], cos, sin, half);
  }
}
