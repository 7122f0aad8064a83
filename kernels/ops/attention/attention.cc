#include "kernels/ops/attention/attention.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/attention/attention_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

constexpr int64_t kMaxPosition = int64_t{1} << 24;
constexpr int kMaxHeadDim = 4096;

int TilePositions(int heads_per_kv_head) {
  return std::clamp(kMaxTileRows / heads_per_kv_head, 1, kMaxTilePositions);
}

// Finished nodes that can wait at once while positions below max_positions are read.
int NumLevels(int64_t max_positions) {
  int levels = 0;
  for (int64_t spans = max_positions / (kBlockTokens * kSpanBlocks); spans > 0; spans >>= 1)
    ++levels;
  return levels;
}

absl::Status CheckArgs(const AttentionArgs& args) {
  const KvLayerView& kv = args.kv;
  const int64_t rows = args.q.dims[0], heads = args.q.dims[1];
  ATOLL_RETURN_IF_ERROR(CheckView("Attention q", args.q, DType::kF32, {rows, heads, kv.head_dim}));
  ATOLL_RETURN_IF_ERROR(
      CheckView("Attention out", args.out, DType::kF32, {rows, heads, kv.head_dim}));
  ATOLL_RETURN_IF_ERROR(CheckSequences(kv, args.sequences, rows));
  if (heads == 0 || heads % kv.num_kv_heads != 0)
    return InvalidArgument("Attention: {} query heads are no multiple of {} KV heads", heads,
                           kv.num_kv_heads);
  if (heads / kv.num_kv_heads > kMaxHeadsPerKvHead)
    return InvalidArgument("Attention: {} query heads share a KV head, at most {} may",
                           heads / kv.num_kv_heads, kMaxHeadsPerKvHead);
  return absl::OkStatus();
}

OpCost CostOf(const AttentionArgs& args) {
  OpCost cost{.name = "attention", .bytes = args.q.num_bytes() + args.out.num_bytes()};
  const int64_t heads = args.q.dims[1], channels = args.kv.head_dim;
  for (const AttentionSequence& sequence : args.sequences) {
    const int64_t rows = sequence.num_rows, end = sequence.position_begin + rows;
    const int64_t keys_seen = rows * sequence.position_begin + rows * (rows + 1) / 2;
    cost.bytes +=
        2 * end * args.kv.num_kv_heads * channels * static_cast<int64_t>(SizeOf(args.kv.dtype));
    cost.flops += 4 * keys_seen * heads * channels;
  }
  return cost;
}

}  // namespace

absl::Status CheckSequences(const KvLayerView& kv, std::span<const AttentionSequence> sequences,
                            int64_t num_rows) {
  if (kv.num_kv_heads <= 0 || kv.head_dim <= 0 || kv.head_dim > kMaxHeadDim)
    return InvalidArgument("KV cache: {} heads of {} channels; expected 1 or more heads of 1 … {}",
                           kv.num_kv_heads, kv.head_dim, kMaxHeadDim);
  if (kv.base == nullptr) return InvalidArgument("KV cache: the view has no memory");
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

size_t AttentionScratchBytes(int num_heads, int num_kv_heads, int head_dim, int64_t max_positions) {
  const int heads = num_heads / num_kv_heads;
  const int64_t rows = RoundUp(TilePositions(heads) * heads, 8);
  const int64_t nodes = 2 + NumLevels(max_positions);
  const int64_t a_row = kBlockTokens + nodes * (RoundUp(head_dim, 16) + 2);
  return static_cast<size_t>(rows * a_row) * sizeof(float);
}

absl::Status Attention(KernelContext& context, const AttentionArgs& args) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckArgs(args));
  const int num_heads = static_cast<int>(args.q.dims[1]);
  const int kv_heads = args.kv.num_kv_heads;
  const int positions = TilePositions(num_heads / kv_heads);
  int64_t max_positions = 0;
  int num_tiles = 0;
  for (const AttentionSequence& sequence : args.sequences) {
    num_tiles += (sequence.num_rows + positions - 1) / positions;
    max_positions = std::max(max_positions, sequence.position_begin + sequence.num_rows);
  }
  const size_t scratch_bytes =
      AttentionScratchBytes(num_heads, kv_heads, args.kv.head_dim, max_positions);

  const OpTimer timer(context.observer(), CostOf(args));
  // Later tiles of a sequence read more: they are handed out first, so that threads end together.
  context.ParallelFor(num_tiles * kv_heads, [&](int task, int thread) {
    int tile_index = num_tiles - 1 - task / kv_heads;
    size_t i = 0;
    for (;; ++i) {
      const int tiles = (args.sequences[i].num_rows + positions - 1) / positions;
      if (tile_index < tiles) break;
      tile_index -= tiles;
    }
    AttentionTile tile;
    tile.sequence = &args.sequences[i];
    tile.row = tile_index * positions;
    tile.num_positions = std::min(positions, tile.sequence->num_rows - tile.row);
    tile.kv_head = task % kv_heads;
    tile.scratch = context.Scratch(thread, scratch_bytes);
    ATOLL_ON_PAGE(context, AttendTile(args, tile));
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels
