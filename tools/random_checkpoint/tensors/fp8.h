// float32 to F8_E4M3 in blocks that share a scale.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/tensor/dtype.h"

namespace atl::tools {

// To the nearest, ties to even; |value| at most 448.
kernels::F8E4m3 ToF8E4m3(float value);

// Rows of a matrix, [rows, columns], at most kScaleBlock of them: one row of blocks. w = value ·
// scale with scale = max |w| / 448 in bf16, [⌈columns / 128⌉].
void QuantiseScaleBlocks(std::span<const float> values, int64_t columns,
                         std::span<kernels::F8E4m3> quantised, std::span<kernels::Bf16> scales);

}  // namespace atl::tools
