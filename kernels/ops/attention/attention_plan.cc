#include "kernels/ops/attention/attention_plan.h"

#include <algorithm>
#include <tuple>

#include "common/base/status_macros.h"
#include "kernels/ops/attention/attention_tile.h"

namespace atl::kernels {
namespace {

constexpr int64_t kMaxPosition = int64_t{1} << 24;
constexpr int kMaxHeadDim = 4096;

// A tile is cut where it is more than this part of a thread's share: then the last tasks are small
// enough for threads to end together, and few enough for merging to cost nothing.
constexpr int kTasksPerThread = 4;

absl::Status CheckHeads(const AttentionPlanArgs& args) {
  if (args.num_kv_heads <= 0 || args.num_heads <= 0 || args.num_heads % args.num_kv_heads != 0)
    return InvalidArgument("Attention: {} query heads are no multiple of {} KV heads",
                           args.num_heads, args.num_kv_heads);
  if (args.num_heads / args.num_kv_heads > kMaxHeadsPerKvHead)
    return InvalidArgument("Attention: {} query heads share a KV head, at most {} may",
                           args.num_heads / args.num_kv_heads, kMaxHeadsPerKvHead);
  if (args.head_dim <= 0 || args.head_dim > kMaxHeadDim)
    return InvalidArgument("Attention: heads of {} channels; expected 1 … {}", args.head_dim,
                           kMaxHeadDim);
  return absl::OkStatus();
}

int64_t WorkOf(const AttentionTile& tile) { return tile.num_positions * (tile.last_block() + 1); }

}  // namespace

absl::Status CheckSequences(std::span<const AttentionSequence> sequences, int64_t num_rows) {
  for (size_t i = 0; i < sequences.size(); ++i) {
    const AttentionSequence& sequence = sequences[i];
    const int64_t rows_end = int64_t{sequence.row_begin} + sequence.num_rows;
    if (sequence.row_begin < 0 || sequence.num_rows < 0 || rows_end > num_rows)
      return InvalidArgument("sequence {}: rows {} … {} are outside the {} rows given", i,
                             sequence.row_begin, rows_end, num_rows);
    if (sequence.position_begin < 0 || sequence.position_begin > kMaxPosition - sequence.num_rows)
      return InvalidArgument("sequence {}: position {} and {} rows are outside 0 … {}", i,
                             sequence.position_begin, sequence.num_rows, kMaxPosition - 1);
    const int64_t blocks =
        (sequence.position_begin + sequence.num_rows + kBlockTokens - 1) / kBlockTokens;
    if (static_cast<int64_t>(sequence.blocks.size()) < blocks)
      return InvalidArgument("sequence {}: {} blocks given, {} needed", i, sequence.blocks.size(),
                             blocks);
  }
  return absl::OkStatus();
}

template <typename Body>
void AttentionPlan::ForEachTile(std::span<const AttentionSequence> sequences, Body&& body) const {
  const int64_t positions = TilePositions(num_heads_ / num_kv_heads_);
  for (const AttentionSequence& sequence : sequences) {
    const int64_t end = sequence.position_begin + sequence.num_rows;
    for (int64_t begin = sequence.position_begin; begin < end;) {
      const int64_t tile_end = std::min(end, (begin / positions + 1) * positions);
      body(AttentionTile{
          .row = sequence.row_begin + static_cast<int>(begin - sequence.position_begin),
          .num_positions = static_cast<int>(tile_end - begin),
          .position = begin,
          .blocks = sequence.blocks});
      begin = tile_end;
    }
  }
}

// As one task, or as subtrees of the largest size that work_max allows and one task for the rest.
void AttentionPlan::AddTile(const AttentionTile& tile, int64_t work_max) {
  const int64_t whole_spans = tile.num_spans() - 1;  // every row sees all their keys
  const int64_t work_of_span = int64_t{tile.num_positions} * kSpanBlocks;
  int level = 0;
  while (work_of_span << (level + 1) <= work_max) ++level;
  const int64_t num_runs = WorkOf(tile) <= work_max ? 0 : whole_spans >> level;
  if (num_runs == 0) {
    tasks_.push_back({.tile = tile, .span_end = tile.num_spans(), .work = WorkOf(tile)});
    return;
  }
  const int num_parts = static_cast<int>(num_runs) + 1;
  splits_.push_back({.tile = tile, .part_begin = num_parts_, .num_parts = num_parts});
  for (int64_t run = 0; run < num_runs; ++run) {
    tasks_.push_back({.tile = tile,
                      .span_begin = run << level,
                      .span_end = (run + 1) << level,
                      .part = num_parts_++,
                      .work = work_of_span << level});
  }
  tasks_.push_back({.tile = tile,
                    .span_begin = num_runs << level,
                    .span_end = tile.num_spans(),
                    .part = num_parts_++,
                    .work = WorkOf(tile) - (num_runs * work_of_span << level)});
}

absl::Status AttentionPlan::Make(const AttentionPlanArgs& args) {
  ATOLL_RETURN_IF_ERROR(CheckHeads(args));
  ATOLL_RETURN_IF_ERROR(CheckSequences(args.sequences, args.num_rows));
  num_heads_ = args.num_heads;
  num_kv_heads_ = args.num_kv_heads;
  head_dim_ = args.head_dim;
  num_rows_ = args.num_rows;
  max_positions_ = keys_seen_ = keys_read_ = 0;
  for (const AttentionSequence& sequence : args.sequences) {
    const int64_t rows = sequence.num_rows, end = sequence.position_begin + rows;
    if (rows == 0) continue;
    max_positions_ = std::max(max_positions_, end);
    keys_seen_ += rows * sequence.position_begin + rows * (rows + 1) / 2;
    keys_read_ += end;
  }

  int64_t work = 0;
  ForEachTile(args.sequences, [&](const AttentionTile& tile) { work += WorkOf(tile); });
  const int64_t work_max =
      args.num_threads == 1 ? work * num_kv_heads_
                            : work * num_kv_heads_ / (int64_t{kTasksPerThread} * args.num_threads);
  tasks_.clear();
  splits_.clear();
  num_parts_ = 0;
  ForEachTile(args.sequences, [&](AttentionTile tile) {
    for (; tile.kv_head < num_kv_heads_; ++tile.kv_head) AddTile(tile, work_max);
  });
  std::sort(tasks_.begin(), tasks_.end(), [](const AttentionTask& a, const AttentionTask& b) {
    return std::tuple(b.work, a.tile.row, a.tile.kv_head, a.span_begin) <
           std::tuple(a.work, b.tile.row, b.tile.kv_head, b.span_begin);
  });
  part_floats_ = LargestTile(num_heads_ / num_kv_heads_, head_dim_).nodes_floats();
  parts_.ReserveFloats(num_parts_ * part_floats_);
  return absl::OkStatus();
}

}  // namespace atl::kernels
