// The pages of attention; only attention.cc includes it.
#pragma once

#include "kernels/ops/attention/attention.h"

namespace atl::kernels {

// One task: `num_positions` positions of one sequence from its row `row`, all query heads of one KV
// head. `scratch` has AttentionScratchBytes.
struct AttentionTile {
  const AttentionSequence* sequence = nullptr;
  int row = 0;
  int num_positions = 0;
  int kv_head = 0;
  std::byte* scratch = nullptr;
};

constexpr int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Rows of a tile (positions × query heads of a KV head): at most 16 positions, and at most so many
// rows, so that scratch has a bound. Neither enters the bits.
inline constexpr int kMaxTilePositions = 16;
inline constexpr int kMaxTileRows = kMaxHeadsPerKvHead;

namespace ref {
void AttendTile(const AttentionArgs& args, const AttentionTile& tile);
}
namespace avx2 {
void AttendTile(const AttentionArgs& args, const AttentionTile& tile);
}
namespace avx512 {
void AttendTile(const AttentionArgs& args, const AttentionTile& tile);
}
}  // namespace atl::kernels
