// What an ISA can do at most; included once an ISA (see kernels/simd/f32x16.h).

namespace {

// As many chains as the tile of a product has: enough to hide the latency of each. Six vectors of
// sixteen lanes are the sixteen registers of AVX2 but four.
inline constexpr int kChains = sizeof(Mask16) > sizeof(uint16_t) ? 6 : 24;

}  // namespace

void RunMultiplyAdds(int64_t turns, float* out) {
  // Every loop over the chains is unrolled whole, else they would live in memory.
  F32x16 chain[kChains];
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) {
    chain[i] = Set1(static_cast<float>(i));
    KeepInRegisters(chain[i]);  // equal lanes would be computed once
  }
  const F32x16 half = Set1(0.5f);
  for (int64_t turn = 0; turn < turns * (24 / kChains); ++turn) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) chain[i] = Fma(chain[i], half, half);
    KeepInRegisters(chain[0]);
  }
  F32x16 sum = Zero();
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) sum = Add(sum, chain[i]);
  *out = Lane0(sum);
}

void SumFloats(const float* from, size_t count, float* out) {
  F32x16 sum[4] = {Zero(), Zero(), Zero(), Zero()};
  for (size_t at = 0; at < count; at += 64) {
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; ++i) sum[i] = Add(sum[i], Load(from + at + 16 * i));
  }
  *out = Lane0(Add(Add(sum[0], sum[1]), Add(sum[2], sum[3])));
}
