// RotaryCache: rows of the rotary table, kept from step to step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/ops/rope/rope.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

class RotaryCache {
 public:
  // Rows of higher positions are computed each time: so many take 16 MB at 64 rotary channels.
  static constexpr int32_t kMaxKeptPositions = 1 << 16;

  RotaryCache() = default;
  // Keeps positions below num_positions, where that is less.
  RotaryCache(RotaryFrequencies frequencies, int64_t num_positions);

  // What RotaryTable gives for these positions, bit for bit. Shapes: positions T; cos, sin
  // [T, d/2] fp32. Kept rows are computed 64 positions at a time, when the first is asked for.
  struct Args {
    std::span<const int32_t> positions;
    TensorView cos;
    TensorView sin;
  };
  absl::Status Rows(KernelContext& context, const Args& args);

 private:
  // Rows [begin, end), multiples of 64.
  absl::Status Compute(KernelContext& context, int32_t begin, int32_t end);

  RotaryFrequencies frequencies_;
  int32_t num_kept_ = 0;
  Buffer rows_;                    // [position][cos | sin]; memory only where it was written
  std::vector<bool> known_;        // by 64 positions
  std::vector<int32_t> computed_;  // positions under way
};

}  // namespace atl::kernels
