// F32x16 on the AVX-512 ISA. See f32x16.h for what every ISA promises.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/simd/isas.h"
#include "kernels/tensor/dtype.h"

ATOLL_ISA_AVX512_BEGIN

inline constexpr char kIsaName[] = "avx512";

struct F32x16 {
  __m512 v;
};
struct U32x16 {
  __m512i v;
};
struct Mask16 {
  __mmask16 v;
};

inline __mmask16 LaneMask(int n) {
  return static_cast<__mmask16>(n >= 16 ? 0xffffu : (1u << n) - 1u);
}

inline F32x16 Set1(float x) { return {_mm512_set1_ps(x)}; }
inline F32x16 Zero() { return {_mm512_setzero_ps()}; }
inline F32x16 Load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline F32x16 LoadN(const float* p, int n, float identity) {
  if (n >= 16) return Load(p);
  return {_mm512_mask_loadu_ps(_mm512_set1_ps(identity), LaneMask(n), p)};
}
inline void Store(float* p, F32x16 a) { _mm512_storeu_ps(p, a.v); }
inline void StoreN(float* p, F32x16 a, int n) {
  if (n >= 16) return Store(p, a);
  _mm512_mask_storeu_ps(p, LaneMask(n), a.v);
}
inline __m512 WidenBf16(__m256i half) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
inline F32x16 Load(const Bf16* p) {
  return {WidenBf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline F32x16 LoadN(const Bf16* p, int n, float identity) {
  const __m512 loaded = WidenBf16(_mm256_maskz_loadu_epi16(LaneMask(n), p));
  return {_mm512_mask_mov_ps(_mm512_set1_ps(identity), LaneMask(n), loaded)};
}
// Round to nearest even in integers (never vcvtneps2bf16: it flushes denormals whatever the mode).
inline __m256i NarrowBf16(__m512 a) {
  const __m512i bits = _mm512_castps_si512(a);
  const __m512i upper = _mm512_srli_epi32(bits, 16);
  const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(
      _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __m512i nan = _mm512_or_si512(_mm512_and_si512(upper, _mm512_set1_epi32(0x8000)),
                                      _mm512_set1_epi32(0x7fc0));
  return _mm512_cvtepi32_epi16(
      _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), nan));
}
inline void Store(Bf16* p, F32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), NarrowBf16(a.v));
}
inline void StoreN(Bf16* p, F32x16 a, int n) {
  _mm256_mask_storeu_epi16(p, LaneMask(n), NarrowBf16(a.v));
}

inline F32x16 Add(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline F32x16 Sub(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline F32x16 Mul(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline F32x16 Div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
inline F32x16 Sqrt(F32x16 a) { return {_mm512_sqrt_ps(a.v)}; }
inline F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline F32x16 Max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }

inline Mask16 Less(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
inline Mask16 LessEqual(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
inline Mask16 Equal(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
inline Mask16 FirstN(int n) { return {LaneMask(n)}; }
inline uint32_t BitsOf(Mask16 mask) { return mask.v; }
inline F32x16 Select(Mask16 mask, F32x16 yes, F32x16 no) {
  return {_mm512_mask_mov_ps(no.v, mask.v, yes.v)};
}

inline U32x16 BitsOf(F32x16 a) { return {_mm512_castps_si512(a.v)}; }
inline F32x16 FromBits(U32x16 a) { return {_mm512_castsi512_ps(a.v)}; }
inline U32x16 LoadU(const void* p) { return {_mm512_loadu_si512(p)}; }
inline void StoreU(void* p, U32x16 a) { _mm512_storeu_si512(p, a.v); }
inline U32x16 WidenU(const uint16_t* p) {
  return {_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline U32x16 WidenU(const uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
inline U32x16 SetU(uint32_t x) { return {_mm512_set1_epi32(static_cast<int>(x))}; }
inline U32x16 AddU(U32x16 a, U32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
inline U32x16 SubU(U32x16 a, U32x16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
inline U32x16 AndU(U32x16 a, U32x16 b) { return {_mm512_and_si512(a.v, b.v)}; }
inline U32x16 OrU(U32x16 a, U32x16 b) { return {_mm512_or_si512(a.v, b.v)}; }
template <int kBits>
inline U32x16 ShiftLeftU(U32x16 a) {
  return {_mm512_slli_epi32(a.v, kBits)};
}
template <int kBits>
inline U32x16 ShiftRightU(U32x16 a) {
  return {_mm512_srli_epi32(a.v, kBits)};
}

inline void KeepInRegisters(F32x16& a) { asm("" : "+v"(a.v)); }
// Brings the cache line of p near; p may be anywhere, also outside of any memory.
inline void Prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
// The same, no nearer than the second level.
inline void PrefetchL2(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }
inline float Lane0(F32x16 a) { return _mm512_cvtss_f32(a.v); }

inline float ReduceAdd(F32x16 a) {
  const __m256 s8 =
      _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));  // i, i + 8
  const __m128 s4 =
      _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));  // i, i + 4
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));                   // i, i + 2
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));                 // i, i + 1
}
inline float ReduceMax(F32x16 a) {
  const __m256 s8 = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}

// rows[i] lane j <-> rows[j] lane i: pairs, quads, then 128-bit lanes twice.
inline void Transpose(F32x16 (&rows)[16]) {
  __m512 t[16], s[16];
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_ps(rows[2 * i].v, rows[2 * i + 1].v);
    t[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i].v, rows[2 * i + 1].v);
  }
  for (int i = 0; i < 4; ++i) {
    s[4 * i] = _mm512_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    s[4 * i + 1] = _mm512_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    s[4 * i + 2] = _mm512_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    s[4 * i + 3] = _mm512_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_f32x4(s[i], s[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(s[i], s[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(s[i + 8], s[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(s[i + 8], s[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    rows[i].v = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    rows[i + 8].v = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    rows[i + 4].v = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
    rows[i + 12].v = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

ATOLL_ISA_END
