// The memory of a tile: how many rows it may have, and what they take. Shared by plan, door and
// ISAs.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/ops/attention/attention_plan.h"

namespace atl::kernels {

constexpr int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Positions of a tile: a power of two, so that none crosses a block when they start at a multiple
// of it; and at most so many rows (positions × query heads of a KV head), so that scratch has a
// bound.
inline constexpr int kMaxTilePositions = 16;
inline constexpr int kMaxTileRows = kMaxHeadsPerKvHead;

constexpr int TilePositions(int heads_per_kv_head) {
  const auto positions =
      static_cast<unsigned>(std::clamp(kMaxTileRows / heads_per_kv_head, 1, kMaxTilePositions));
  return static_cast<int>(std::bit_floor(positions));
}

struct TileMemory {
  TileMemory(int64_t rows, int64_t head_dim)
      : padded_rows(RoundUp(rows, 8)), channels(RoundUp(head_dim, 16)) {}

  // A partial softmax of every row: weighted values, maximum and sum.
  int64_t nodes_floats() const { return padded_rows * (channels + 2); }

  int64_t padded_rows;  // rounded up to 8, so that all that follow are aligned
  int64_t channels;     // D rounded up to 16
};

// Of the largest tile.
inline TileMemory LargestTile(int heads_per_kv_head, int head_dim) {
  return {int64_t{TilePositions(heads_per_kv_head)} * heads_per_kv_head, head_dim};
}

// Finished nodes that can wait at once while positions below max_positions are read.
constexpr int NumLevels(int64_t max_positions) {
  int levels = 0;
  for (int64_t spans = max_positions / (kBlockTokens * kSpanBlocks); spans > 0; spans >>= 1)
    ++levels;
  return levels;
}

}  // namespace atl::kernels
