// The types that only weights have: every bit pattern of F16 and F8_E4M3, on every ISA.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/simd/f32x16.h"
#include "kernels/tensor/dtype.h"
#include "tests/kernels/ops/kernel_fixtures.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/simd/narrow_body.h"
#include "tests/kernels/simd/narrow_loads_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/simd/narrow_body.h"
#include "tests/kernels/simd/narrow_loads_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/simd/narrow_body.h"
#include "tests/kernels/simd/narrow_loads_body.h"
ATOLL_ISA_END

namespace atl::kernels {
namespace {

// What IEEE 754 and the E4M3 format say of a number, by arithmetic and not by bits.
double Meaning(uint32_t bits, int exponent_bits, int mantissa_bits, bool has_infinity) {
  const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
  const int exponent = static_cast<int>(bits >> mantissa_bits & ((1u << exponent_bits) - 1));
  const double sign = (bits >> (exponent_bits + mantissa_bits) & 1u) != 0 ? -1.0 : 1.0;
  const int bias = (1 << (exponent_bits - 1)) - 1, top = (1 << exponent_bits) - 1;
  const double fraction = std::ldexp(mantissa, -mantissa_bits);
  if (has_infinity && exponent == top) return mantissa == 0 ? sign * INFINITY : NAN;
  if (!has_infinity && exponent == top && mantissa == (1u << mantissa_bits) - 1) return NAN;
  return exponent == 0 ? sign * std::ldexp(fraction, 1 - bias)
                       : sign * std::ldexp(1.0 + fraction, exponent - bias);
}

bool IsSame(double meaning, float found) {
  if (std::isnan(meaning)) return std::isnan(found);
  return meaning == found && std::signbit(meaning) == std::signbit(found);
}

class NarrowTest : public KernelTest {
 protected:
  // `count` elements at a time of all 2^bits patterns.
  template <typename Narrow>
  void EveryPattern(int bits, double (*meaning)(uint32_t), int count) {
    for (uint32_t first = 0; first < 1u << bits; first += static_cast<uint32_t>(count)) {
      Narrow narrow[16];
      float wide[16];
      for (int i = 0; i < count; ++i)
        narrow[i].bits = static_cast<decltype(Narrow::bits)>(first + static_cast<uint32_t>(i));
      ATOLL_ON_ISA(*this, WidenFirst(narrow, count, wide));
      for (int i = 0; i < 16; ++i) {
        const double expected =
            i < count ? meaning(first + static_cast<uint32_t>(i)) : double{kMissing};
        ASSERT_TRUE(IsSame(expected, wide[i]))
            << std::hex << first + static_cast<uint32_t>(i) << " of " << count << ": " << wide[i];
      }
      for (int i = 0; i < count; ++i) {
        ASSERT_TRUE(IsSame(meaning(first + static_cast<uint32_t>(i)), ToFloat(narrow[i])));
      }
    }
  }
  static constexpr float kMissing = -7.0f;
};

TEST_P(NarrowTest, EveryHalf) {
  const auto meaning = [](uint32_t bits) { return Meaning(bits, 5, 10, true); };
  EveryPattern<F16>(16, meaning, 16);
  EveryPattern<F16>(16, meaning, 8);
  EveryPattern<F16>(16, meaning, 1);
}

TEST_P(NarrowTest, EveryE4m3) {
  const auto meaning = [](uint32_t bits) { return Meaning(bits, 4, 3, false); };
  EveryPattern<F8E4m3>(8, meaning, 16);
  EveryPattern<F8E4m3>(8, meaning, 4);
  EveryPattern<F8E4m3>(8, meaning, 1);
}

ATOLL_INSTANTIATE_ON_ISAS(NarrowTest);

}  // namespace
}  // namespace atl::kernels
