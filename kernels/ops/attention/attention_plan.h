// How the attention of a step is cut into tasks: which rows, which KV head, which spans of keys.
// Made once a step, before the layer loop; all its attention layers run the same plan. The cut
// never enters the bits (docs/arithmetic.md 3).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "kernels/ops/attention/kv_layout.h"
#include "kernels/tensor/buffer.h"

namespace atl::kernels {

// Rows [row_begin, row_begin + num_rows) of q stand at positions position_begin … of one sequence,
// whose block i holds positions 64·i … 64·i + 63. K and V of these rows are in the cache already.
struct AttentionSequence {
  int row_begin = 0;
  int num_rows = 0;
  int64_t position_begin = 0;
  std::span<const BlockId> blocks;
};

// What Attention and KvWrite ask of their sequences: rows inside [0, num_rows), a block for every
// position, no position of 2^24 or more.
absl::Status CheckSequences(std::span<const AttentionSequence> sequences, int64_t num_rows);

// Query heads that may share a KV head.
inline constexpr int kMaxHeadsPerKvHead = 128;

// At most 16 positions of one sequence, all in one block, with the query heads of one KV head.
struct AttentionTile {
  int row = 0;  // of q, the first position's
  int num_positions = 0;
  int64_t position = 0;  // the first
  int kv_head = 0;
  std::span<const BlockId> blocks;

  int64_t last_block() const { return position / kBlockTokens; }
  int64_t num_spans() const { return last_block() / kSpanBlocks + 1; }
};

// The spans [span_begin, span_end) of a tile's keys: an aligned subtree of the merge tree, or what
// the tile has from an aligned span on.
struct AttentionTask {
  AttentionTile tile;
  int64_t span_begin = 0;
  int64_t span_end = 0;
  int part = -1;     // where its partial result goes; < 0: it is the whole tile, and goes to out
  int64_t work = 0;  // positions · blocks
};

// A tile cut into several tasks: its parts in ascending order, all but the last subtrees of one
// size.
struct AttentionSplit {
  AttentionTile tile;
  int part_begin = 0;
  int num_parts = 0;
};

struct AttentionPlanArgs {
  int num_heads = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
  int num_rows = 0;  // of q and out
  int num_threads = 1;
  std::span<const AttentionSequence> sequences;
};

class AttentionPlan {
 public:
  // The sequences' blocks stay where they are while the plan is used. Allocates only for steps
  // larger than all before. kInvalidArgument: see CheckSequences; heads that do not share evenly,
  // or more than kMaxHeadsPerKvHead to one.
  absl::Status Make(const AttentionPlanArgs& args);

  int num_heads() const { return num_heads_; }
  int num_kv_heads() const { return num_kv_heads_; }
  int head_dim() const { return head_dim_; }
  int num_rows() const { return num_rows_; }
  int64_t max_positions() const { return max_positions_; }  // where the longest sequence ends
  int64_t keys_seen() const { return keys_seen_; }          // over all rows
  int64_t keys_read() const { return keys_read_; }          // over all sequences

  // Largest first, so that threads end together.
  std::span<const AttentionTask> tasks() const { return tasks_; }
  std::span<const AttentionSplit> splits() const { return splits_; }
  float* Part(int part) const { return parts_.f32() + part * part_floats_; }

 private:
  template <typename Body>
  void ForEachTile(std::span<const AttentionSequence> sequences, Body&& body) const;
  void AddTile(const AttentionTile& tile, int64_t work_max);

  int num_heads_ = 0, num_kv_heads_ = 0, head_dim_ = 0, num_rows_ = 0;
  int64_t max_positions_ = 0, keys_seen_ = 0, keys_read_ = 0;
  std::vector<AttentionTask> tasks_;
  std::vector<AttentionSplit> splits_;
  Buffer parts_;
  int num_parts_ = 0;
  int64_t part_floats_ = 0;
};

}  // namespace atl::kernels
