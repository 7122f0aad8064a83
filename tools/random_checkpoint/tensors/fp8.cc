#include "tools/random_checkpoint/tensors/fp8.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/base/check.h"
#include "kernels/tensor/weight_view.h"

namespace atl::tools {
namespace {

using kernels::Bf16;
using kernels::F8E4m3;

constexpr float kLargest = 448.0f;

}  // namespace

F8E4m3 ToF8E4m3(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits >> 24 & 0x80u;
  bits &= 0x7fffffffu;
  constexpr uint32_t kSmallestNormal = 121u << 23;  // 2^−6 as a float
  if (bits < kSmallestNormal) {
    // Multiples of 2^−9; in [2^14, 2^15) floats are 2^−9 apart, so the sum rounds to nearest even.
    constexpr float kShift = 0x1p14f;
    const float shifted = std::abs(value) + kShift;
    return {static_cast<uint8_t>(sign | static_cast<uint32_t>((shifted - kShift) * 0x1p9f))};
  }
  bits += 0x7ffffu + (bits >> 20 & 1u);
  return {static_cast<uint8_t>(sign | ((bits >> 20) - (120u << 3)))};
}

void QuantiseScaleBlocks(std::span<const float> values, int64_t columns,
                         std::span<F8E4m3> quantised, std::span<Bf16> scales) {
  const auto width = static_cast<size_t>(columns);
  constexpr auto kScaleBlockSide = static_cast<size_t>(kernels::kScaleBlock);
  CHECK(values.size() % width == 0 && values.size() <= kScaleBlockSide * width);
  CHECK(quantised.size() == values.size() &&
        scales.size() == (width + kScaleBlockSide - 1) / kScaleBlockSide);
  for (size_t block = 0; block < scales.size(); ++block) {
    const size_t begin = block * kScaleBlockSide, end = std::min(width, begin + kScaleBlockSide);
    float largest = 0.0f;
    for (size_t row = 0; row < values.size(); row += width) {
      for (size_t i = begin; i < end; ++i) largest = std::max(largest, std::abs(values[row + i]));
    }
    scales[block] = kernels::ToBf16(largest / kLargest);
    const float scale = ToFloat(scales[block]);
    const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
    for (size_t row = 0; row < values.size(); row += width) {
      // The scale was rounded: the largest value may lie a little beyond.
      for (size_t i = begin; i < end; ++i)
        quantised[row + i] = ToF8E4m3(std::clamp(values[row + i] * inverse, -kLargest, kLargest));
    }
  }
}

}  // namespace atl::tools
