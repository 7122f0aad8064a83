// DeltaGates over F32x16; included once a page (see kernels/simd/f32x16.h).

namespace {

inline F32x16 LoadWeights(const TensorView& view, int64_t index, int n) {
  return view.dtype == DType::kF32 ? LoadN(view.f32() + index, n, 0.0f)
                                   : LoadN(view.bf16() + index, n, 0.0f);
}

}  // namespace

void GateRows(const DeltaGatesArgs& args, int64_t begin, int64_t end) {
  const int64_t heads = args.a.dims[1];
  for (int64_t h = 0; h < heads; h += 16) {
    const int n = static_cast<int>(heads - h < 16 ? heads - h : 16);
    const F32x16 rate = Exp(LoadWeights(args.a_log, h, n));
    const F32x16 bias = LoadWeights(args.dt_bias, h, n);
    for (int64_t t = begin; t < end; ++t) {
      const F32x16 a = LoadN(args.a.f32() + t * args.a.strides[0] + h, n, 0.0f);
      const F32x16 b = LoadN(args.b.f32() + t * args.b.strides[0] + h, n, 0.0f);
      const F32x16 decay_log = Mul(rate, Softplus(Add(a, bias)));
      StoreN(args.decay.f32() + t * args.decay.strides[0] + h, Exp(Sub(Zero(), decay_log)), n);
      StoreN(args.beta.f32() + t * args.beta.strides[0] + h, Sigmoid(b), n);
    }
  }
}
