#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/simd/f32x16.h"
#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/kernels/simd/simd_fixtures.h"

ATOLL_ISA_REF_BEGIN
#include "tests/kernels/simd/simd_operations_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "tests/kernels/simd/simd_operations_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "tests/kernels/simd/simd_operations_body.h"
ATOLL_ISA_END

namespace atl::kernels {
namespace {

class SimdTest : public KernelTest {
 protected:
  void ExpectSameAsRef(const float* a, const float* b, const float* c) {
    ref::Operations(a, b, c, expected_);
    ATOLL_ON_ISA(*this, Operations(a, b, c, found_));
    for (int i = 0; i < ref::kNumOperations * 16; ++i) {
      ASSERT_TRUE(SameWord(expected_[i], found_[i]))
          << "operation " << i / 16 << " lane " << i % 16 << ": " << std::hex << expected_[i]
          << " on ref, " << found_[i] << "; a " << std::bit_cast<uint32_t>(a[i % 16]) << " b "
          << std::bit_cast<uint32_t>(b[i % 16]) << " c " << std::bit_cast<uint32_t>(c[i % 16]);
    }
  }

 private:
  uint32_t expected_[ref::kNumOperations * 16];
  uint32_t found_[ref::kNumOperations * 16];
};

TEST_P(SimdTest, RandomPatternsGiveTheBitsOfTheScalarIsa) {
  constexpr size_t kCount = 1 << 20;
  const std::vector<float> a = RandomPatterns(1, kCount), b = RandomPatterns(2, kCount),
                           c = RandomPatterns(3, kCount);
  for (size_t i = 0; i < kCount && !HasFatalFailure(); i += 16)
    ExpectSameAsRef(&a[i], &b[i], &c[i]);
}

TEST_P(SimdTest, SpecialsGiveTheBitsOfTheScalarIsa) {
  const std::vector<float> specials = Specials();
  const size_t count = specials.size();
  float a[16], b[16], c[16];
  size_t filled = 0;
  for (size_t i = 0; i < count * count * count && !HasFatalFailure(); ++i) {
    a[filled] = specials[i % count];
    b[filled] = specials[i / count % count];
    c[filled] = specials[i / count / count];
    if (++filled < 16) continue;
    ExpectSameAsRef(a, b, c);
    filled = 0;
  }
}

TEST_P(SimdTest, TransposeSwapsRowsAndLanes) {
  float from[256], to[256];
  for (int i = 0; i < 256; ++i) from[i] = static_cast<float>(i);
  ATOLL_ON_ISA(*this, TransposeWords(from, to));
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) EXPECT_EQ(to[16 * i + j], from[16 * j + i]);
}

TEST_P(SimdTest, PartialLoadsAndStoresTouchNothingElse) {
  for (int n = 0; n <= 16; ++n) {
    // Exactly n elements long: a sanitizer build would see a read or write past them.
    std::vector<float> from(static_cast<size_t>(n)), to(static_cast<size_t>(n) + 1, 7.0f);
    std::vector<Bf16> narrow(static_cast<size_t>(n)), narrow_to(static_cast<size_t>(n) + 1);
    for (int i = 0; i < n; ++i) {
      from[static_cast<size_t>(i)] = static_cast<float>(i + 1);
      narrow[static_cast<size_t>(i)] = ToBf16(static_cast<float>(-i));
    }
    float widened[16];
    ATOLL_ON_ISA(*this, CopyPart(from.data(), to.data(), narrow.data(), narrow_to.data(), n));
    ATOLL_ON_ISA(*this, LoadPart(from.data(), n, widened));
    for (int i = 0; i < n; ++i) {
      EXPECT_EQ(to[static_cast<size_t>(i)], static_cast<float>(i + 1));
      EXPECT_EQ(ToFloat(narrow_to[static_cast<size_t>(i)]), static_cast<float>(-i));
    }
    EXPECT_EQ(to[static_cast<size_t>(n)], 7.0f);
    EXPECT_EQ(narrow_to[static_cast<size_t>(n)].bits, 0);
    for (int i = 0; i < 16; ++i)
      EXPECT_EQ(widened[i], i < n ? static_cast<float>(i + 1) : -3.0f) << "identity, lane " << i;
  }
}

TEST_P(SimdTest, ReductionsFoldHalves) {
  // 1e8 + 1 is 1e8 in fp32: only this order keeps the 2 of lanes 3 and 11, and the 4 of 7 and 15.
  float x[16] = {1e8f, 0, 0, 1, 0, 0, 0, 2, -1e8f, 0, 0, 1, 0, 0, 0, 2};
  float sum, most;
  ATOLL_ON_ISA(*this, Reduce(x, &sum, &most));
  EXPECT_EQ(sum, 6.0f);
  EXPECT_EQ(most, 1e8f);
}

TEST_P(SimdTest, Bf16RoundsToNearestEven) {
  const float cases[] = {FloatOf(0x3f808000u), FloatOf(0x3f818000u), FloatOf(0x3f808001u),
                         FloatOf(0x3f807fffu), FloatOf(0x7f7fffffu), FloatOf(0xff800000u)};
  const uint16_t expected[] = {0x3f80, 0x3f82, 0x3f81, 0x3f80, 0x7f80, 0xff80};
  for (size_t i = 0; i < std::size(cases); ++i) {
    const std::vector<float> from(16, cases[i]);
    Bf16 narrow[16];
    ATOLL_ON_ISA(*this, Narrow(from.data(), narrow));
    EXPECT_EQ(narrow[9].bits, expected[i]) << cases[i];
  }
}

ATOLL_INSTANTIATE_ON_ISAS(SimdTest);

}  // namespace
}  // namespace atl::kernels
