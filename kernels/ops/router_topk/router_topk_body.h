// Router over F32x16; included once an ISA (see kernels/simd/f32x16.h).

namespace {

// Logits 16 at a time: missing ones and NaN are −inf.
inline F32x16 LogitsAt(const float* logits, int64_t count, int64_t i) {
  const F32x16 minus_infinity = FromBits(SetU(0xff800000u));
  const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
  const F32x16 x = Select(FirstN(n), LoadN(logits + i, n, 0.0f), minus_infinity);
  return Select(Equal(x, x), x, minus_infinity);
}

// p = softmax(logits), padded with −1 to a multiple of 16.
inline void SoftmaxRow(const float* logits, int64_t count, float* p) {
  F32x16 most = FromBits(SetU(0xff800000u));
  for (int64_t i = 0; i < count; i += 16) most = Max(LogitsAt(logits, count, i), most);
  const F32x16 maximum = Set1(ReduceMax(most));
  F32x16 sums = Zero();
  for (int64_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    const F32x16 x = LogitsAt(logits, count, i);
    // Equal first: inf − inf is NaN. A row of nothing but −inf becomes uniform.
    const F32x16 e = Exp(Select(Equal(x, maximum), Zero(), Sub(x, maximum)));
    const F32x16 present = Select(FirstN(n), e, Zero());
    Store(p + i, present);
    sums = Add(sums, present);
  }
  const F32x16 sum = Set1(ReduceAdd(sums));
  for (int64_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    Store(p + i, Select(FirstN(n), Div(Load(p + i), sum), Set1(-1.0f)));
  }
}

// The lowest index of the largest of p, which is taken out (−1).
inline int64_t TakeLargest(float* p, int64_t count, float* value) {
  F32x16 most = Set1(-1.0f);
  for (int64_t i = 0; i < count; i += 16) most = Max(Load(p + i), most);
  *value = ReduceMax(most);
  const F32x16 wanted = Set1(*value);
  int64_t i = 0;
  uint32_t found = 0;
  while ((found = BitsOf(Equal(Load(p + i), wanted))) == 0) i += 16;
  const int64_t index = i + __builtin_ctz(found);
  p[index] = -1.0f;
  return index;
}

}  // namespace

void RouterTopkRow(const RouterTopkArgs& args, int64_t t, float* scratch) {
  const int64_t count = args.logits.dims[1];
  uint16_t* experts = args.experts.data() + t * args.k;
  float* weights = args.weights.data() + t * args.k;
  SoftmaxRow(args.logits.f32() + t * args.logits.strides[0], count, scratch);
  for (int j = 0; j < args.k; ++j) {
    float value;
    const uint16_t expert = static_cast<uint16_t>(TakeLargest(scratch, count, &value));
    int at = j;  // kept in ascending id
    for (; at > 0 && experts[at - 1] > expert; --at) {
      experts[at] = experts[at - 1];
      weights[at] = weights[at - 1];
    }
    experts[at] = expert;
    weights[at] = value;
  }
  float sum = 0.0f;
  for (int j = 0; j < args.k; ++j) sum += weights[j];
  for (int j = 0; j < args.k; ++j) weights[j] /= sum;
}
