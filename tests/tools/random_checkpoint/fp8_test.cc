#include "tools/random_checkpoint/tensors/fp8.h"

#include <cmath>
#include <vector>

#include "tests/support/status_matchers.h"

namespace atl::tools {
namespace {

using kernels::Bf16;
using kernels::F8E4m3;

TEST(Fp8Test, EveryPatternComesBack) {
  for (int bits = 0; bits < 256; ++bits) {
    const F8E4m3 pattern{static_cast<uint8_t>(bits)};
    if (std::isnan(ToFloat(pattern))) continue;
    EXPECT_EQ(ToF8E4m3(ToFloat(pattern)).bits, bits);
  }
}

// Neighbours in magnitude differ by one in their bits: between them the even one wins the tie.
TEST(Fp8Test, RoundsToTheNearestTiesToEven) {
  for (uint8_t low = 0; low < 0x7e; ++low) {
    const uint8_t high = low + 1;
    const float a = ToFloat(F8E4m3{low}), b = ToFloat(F8E4m3{high}), middle = a + (b - a) / 2;
    EXPECT_EQ(ToF8E4m3(middle).bits, low % 2 == 0 ? low : high) << middle;
    EXPECT_EQ(ToF8E4m3(std::nextafter(middle, 0.0f)).bits, low) << middle;
    EXPECT_EQ(ToF8E4m3(-std::nextafter(middle, 1e9f)).bits, high | 0x80) << middle;
  }
}

TEST(Fp8Test, ScaleBlocksHaveScalesOfTheirOwn) {
  // Two rows of a matrix of 130 columns: a block of 128 and one of 2.
  std::vector<float> values(2 * 130, 0.5f);
  values[128] = 224.0f;
  values[130 + 129] = -3.5f;
  std::vector<F8E4m3> quantised(values.size());
  std::vector<Bf16> scales(2);
  QuantiseScaleBlocks(values, 130, quantised, scales);
  EXPECT_EQ(ToFloat(scales[0]), ToFloat(kernels::ToBf16(0.5f / 448.0f)));
  EXPECT_EQ(ToFloat(scales[1]), 0.5f);
  EXPECT_EQ(ToFloat(quantised[128]), 448.0f);
  EXPECT_EQ(ToFloat(quantised[130 + 129]), -7.0f);
  EXPECT_EQ(ToFloat(quantised[0]), 448.0f);
}

}  // namespace
}  // namespace atl::tools
