// Bit patterns on which ISAs are compared.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "tests/kernels/ops/sequence_fixtures.h"

namespace atl::kernels {

inline float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Zeros, denormals, the ends of the normal range, ones, powers, infinities, NaNs, and the corners
// of exp, softplus and bf16 rounding; of both signs.
inline std::vector<float> Specials() {
  std::vector<float> values;
  for (uint32_t bits :
       {0x00000000u, 0x00000001u, 0x007fffffu, 0x00800000u, 0x00800001u, 0x3effffffu,
        0x3f000000u, 0x3f7fffffu, 0x3f800000u, 0x3f800001u, 0x3fc00000u, 0x3f808000u,
        0x3f818000u, 0x4b000000u, 0x4b7fffffu, 0x7f7fffffu, 0x7f7f8000u, 0x7f800000u,
        0x7f800001u, 0x7fc00000u, 0x7fffffffu}) {
    values.push_back(FloatOf(bits));
    values.push_back(FloatOf(bits | 0x80000000u));
  }
  for (float x :
       {20.0f, 20.000002f, 87.33f, 87.340004f, 88.37f, 88.38f, 104.0f, 0.70710677f, 1.4142135f}) {
    values.push_back(x);
    values.push_back(-x);
  }
  return values;
}

// `count` random bit patterns, every exponent and sign alike; half of them near one so that sums do
// not only overflow.
inline std::vector<float> RandomPatterns(uint64_t seed, size_t count) {
  Numbers numbers(seed);
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t bits = static_cast<uint32_t>(numbers.Bits() >> 32);
    values[i] = FloatOf(i % 2 == 0 ? bits : (bits & 0x87ffffffu) | 0x38000000u);
  }
  return values;
}

// Equal words, or both NaN (whose payload is not promised).
inline bool SameWord(uint32_t a, uint32_t b) {
  const auto is_nan = [](uint32_t w) { return (w & 0x7fffffffu) > 0x7f800000u; };
  return a == b || (is_nan(a) && is_nan(b));
}

}  // namespace atl::kernels
