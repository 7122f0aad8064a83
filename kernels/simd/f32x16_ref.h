// F32x16 on the scalar (oracle) ISA. See f32x16.h for what every ISA promises.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/simd/isas.h"
#include "kernels/tensor/dtype.h"

ATOLL_ISA_REF_BEGIN

inline constexpr char kIsaName[] = "ref";

struct F32x16 {
  float lane[16];
};
struct U32x16 {
  uint32_t lane[16];
};
struct Mask16 {
  uint16_t bits;
};

#define ATOLL_LANES(expression)                          \
  F32x16 r;                                              \
  for (int i = 0; i < 16; ++i) r.lane[i] = (expression); \
  return r
#define ATOLL_LANES_U(expression)                        \
  U32x16 r;                                              \
  for (int i = 0; i < 16; ++i) r.lane[i] = (expression); \
  return r
#define ATOLL_LANES_M(expression)                                                            \
  Mask16 r{0};                                                                               \
  for (int i = 0; i < 16; ++i) r.bits |= static_cast<uint16_t>((expression) ? 1u << i : 0u); \
  return r

inline F32x16 Set1(float x) { ATOLL_LANES(x); }
inline F32x16 Zero() { return Set1(0.0f); }
inline F32x16 Load(const float* p) { ATOLL_LANES(p[i]); }
inline F32x16 LoadN(const float* p, int n, float identity) { ATOLL_LANES(i < n ? p[i] : identity); }
inline void Store(float* p, F32x16 a) {
  for (int i = 0; i < 16; ++i) p[i] = a.lane[i];
}
inline void StoreN(float* p, F32x16 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = a.lane[i];
}
inline F32x16 Load(const Bf16* p) { ATOLL_LANES(ToFloat(p[i])); }
inline F32x16 LoadN(const Bf16* p, int n, float identity) {
  ATOLL_LANES(i < n ? ToFloat(p[i]) : identity);
}
inline void Store(Bf16* p, F32x16 a) {
  for (int i = 0; i < 16; ++i) p[i] = ToBf16(a.lane[i]);
}
inline void StoreN(Bf16* p, F32x16 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = ToBf16(a.lane[i]);
}

inline F32x16 Add(F32x16 a, F32x16 b) { ATOLL_LANES(a.lane[i] + b.lane[i]); }
inline F32x16 Sub(F32x16 a, F32x16 b) { ATOLL_LANES(a.lane[i] - b.lane[i]); }
inline F32x16 Mul(F32x16 a, F32x16 b) { ATOLL_LANES(a.lane[i] * b.lane[i]); }
inline F32x16 Div(F32x16 a, F32x16 b) { ATOLL_LANES(a.lane[i] / b.lane[i]); }
inline F32x16 Sqrt(F32x16 a) { ATOLL_LANES(std::sqrt(a.lane[i])); }
inline F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) {
  ATOLL_LANES(std::fma(a.lane[i], b.lane[i], c.lane[i]));
}
// The instruction and not `a > b ? a : b`, which a compiler may turn into a compare and a move:
// then a denormal would stay what the instruction makes zero.
inline float MaxOne(float a, float b) {
  return _mm_cvtss_f32(_mm_max_ss(_mm_set_ss(a), _mm_set_ss(b)));
}
inline F32x16 Max(F32x16 a, F32x16 b) { ATOLL_LANES(MaxOne(a.lane[i], b.lane[i])); }

inline Mask16 Less(F32x16 a, F32x16 b) { ATOLL_LANES_M(a.lane[i] < b.lane[i]); }
inline Mask16 LessEqual(F32x16 a, F32x16 b) { ATOLL_LANES_M(a.lane[i] <= b.lane[i]); }
inline Mask16 Equal(F32x16 a, F32x16 b) { ATOLL_LANES_M(a.lane[i] == b.lane[i]); }
inline Mask16 FirstN(int n) { return Mask16{static_cast<uint16_t>((1u << n) - 1u)}; }
inline uint32_t BitsOf(Mask16 mask) { return mask.bits; }
inline F32x16 Select(Mask16 mask, F32x16 yes, F32x16 no) {
  ATOLL_LANES((mask.bits >> i & 1u) != 0 ? yes.lane[i] : no.lane[i]);
}

inline U32x16 BitsOf(F32x16 a) {
  U32x16 r;
  std::memcpy(&r, &a, sizeof r);
  return r;
}
inline F32x16 FromBits(U32x16 a) {
  F32x16 r;
  std::memcpy(&r, &a, sizeof r);
  return r;
}
inline U32x16 LoadU(const void* p) {
  U32x16 r;
  std::memcpy(&r, p, sizeof r);
  return r;
}
inline void StoreU(void* p, U32x16 a) { std::memcpy(p, &a, sizeof a); }
inline U32x16 WidenU(const uint16_t* p) { ATOLL_LANES_U(p[i]); }
inline U32x16 WidenU(const uint8_t* p) { ATOLL_LANES_U(p[i]); }
inline U32x16 SetU(uint32_t x) { ATOLL_LANES_U(x); }
inline U32x16 AddU(U32x16 a, U32x16 b) { ATOLL_LANES_U(a.lane[i] + b.lane[i]); }
inline U32x16 SubU(U32x16 a, U32x16 b) { ATOLL_LANES_U(a.lane[i] - b.lane[i]); }
inline U32x16 AndU(U32x16 a, U32x16 b) { ATOLL_LANES_U(a.lane[i] & b.lane[i]); }
inline U32x16 OrU(U32x16 a, U32x16 b) { ATOLL_LANES_U(a.lane[i] | b.lane[i]); }
template <int kBits>
inline U32x16 ShiftLeftU(U32x16 a) {
  ATOLL_LANES_U(a.lane[i] << kBits);
}
template <int kBits>
inline U32x16 ShiftRightU(U32x16 a) {
  ATOLL_LANES_U(a.lane[i] >> kBits);
}

inline void KeepInRegisters(F32x16&) {}
// Brings the cache line of p near; p may be anywhere, also outside of any memory.
inline void Prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
// The same, no nearer than the second level.
inline void PrefetchL2(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }
inline float Lane0(F32x16 a) { return a.lane[0]; }

inline float ReduceAdd(F32x16 a) {
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) a.lane[i] = a.lane[i] + a.lane[i + half];
  return a.lane[0];
}
inline float ReduceMax(F32x16 a) {
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) a.lane[i] = MaxOne(a.lane[i], a.lane[i + half]);
  return a.lane[0];
}

// rows[i] lane j <-> rows[j] lane i.
inline void Transpose(F32x16 (&rows)[16]) {
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < i; ++j) {
      const float t = rows[i].lane[j];
      rows[i].lane[j] = rows[j].lane[i];
      rows[j].lane[i] = t;
    }
}

#undef ATOLL_LANES
#undef ATOLL_LANES_U
#undef ATOLL_LANES_M

ATOLL_ISA_END
