#include "kernels/ops/kv_write/kv_write.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/kv_write/kv_write_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

// Blocks that the new rows of a sequence touch.
int NumBlocks(const AttentionSequence& sequence) {
  if (sequence.num_rows == 0) return 0;
  const int64_t last = sequence.position_begin + sequence.num_rows - 1;
  return static_cast<int>(last / kBlockTokens - sequence.position_begin / kBlockTokens + 1);
}

KvWriteRun MakeRun(const AttentionSequence& sequence, int block_index) {
  const int64_t first_block = sequence.position_begin / kBlockTokens;
  const int64_t block_begin = (first_block + block_index) * kBlockTokens;
  const int64_t begin = std::max(sequence.position_begin, block_begin);
  const int64_t end =
      std::min(sequence.position_begin + sequence.num_rows, block_begin + kBlockTokens);
  KvWriteRun run;
  run.row = sequence.row_begin + static_cast<int>(begin - sequence.position_begin);
  run.num_rows = static_cast<int>(end - begin);
  run.key = static_cast<int>(begin - block_begin);
  run.block = Value(sequence.blocks[static_cast<size_t>(first_block + block_index)]);
  return run;
}

}  // namespace

absl::Status KvWrite(KernelContext& context, const KvWriteArgs& args) {
  CHECK(DenormalsAreZero());
  const KvLayerView& kv = args.kv;
  const int64_t rows = args.k.dims[0];
  ATOLL_RETURN_IF_ERROR(
      CheckView("KvWrite k", args.k, DType::kF32, {rows, kv.num_kv_heads, kv.head_dim}));
  ATOLL_RETURN_IF_ERROR(
      CheckView("KvWrite v", args.v, DType::kF32, {rows, kv.num_kv_heads, kv.head_dim}));
  if (kv.base == nullptr) return InvalidArgument("KvWrite: the cache has no memory");
  ATOLL_RETURN_IF_ERROR(CheckSequences(args.sequences, rows));
  int num_runs = 0;
  for (const AttentionSequence& sequence : args.sequences) num_runs += NumBlocks(sequence);
  const OpTimer timer(context.observer(),
                      {.name = "kv_write", .bytes = args.k.num_bytes() + args.v.num_bytes()});
  context.ParallelFor(num_runs * kv.num_kv_heads, [&](int task, int /*thread*/) {
    int block_index = task / kv.num_kv_heads;
    size_t i = 0;
    for (; block_index >= NumBlocks(args.sequences[i]); ++i)
      block_index -= NumBlocks(args.sequences[i]);
    KvWriteRun run = MakeRun(args.sequences[i], block_index);
    run.kv_head = task % kv.num_kv_heads;
    ATOLL_ON_ISA(context, WriteRun(args, run));
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels
