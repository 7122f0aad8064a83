#include "kernels/ops/attention/attention.h"

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/attention/attention_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

absl::Status CheckArgs(const AttentionArgs& args) {
  if (args.plan == nullptr) return InvalidArgument("Attention: no plan given");
  const AttentionPlan& plan = *args.plan;
  const int64_t rows = plan.num_rows(), heads = plan.num_heads(), channels = plan.head_dim();
  if (args.kv.base == nullptr) return InvalidArgument("Attention: the cache has no memory");
  if (args.kv.num_kv_heads != plan.num_kv_heads() || args.kv.head_dim != channels)
    return InvalidArgument("Attention: the cache has {} KV heads of {} channels, the plan {} of {}",
                           args.kv.num_kv_heads, args.kv.head_dim, plan.num_kv_heads(), channels);
  ATOLL_RETURN_IF_ERROR(CheckView("Attention q", args.q, DType::kF32, {rows, heads, channels}));
  ATOLL_RETURN_IF_ERROR(CheckView("Attention out", args.out, DType::kF32, {rows, heads, channels}));
  if (args.gate.rank == 0) return absl::OkStatus();
  return CheckView("Attention gate", args.gate, DType::kF32, {rows, heads, channels});
}

OpCost CostOf(const AttentionArgs& args) {
  const AttentionPlan& plan = *args.plan;
  const int64_t bytes_a_key =
      KvLayerView::BytesPerBlock(plan.num_kv_heads(), plan.head_dim(), args.kv.dtype) /
      kBlockTokens;
  return {.name = "attention",
          .bytes = args.q.num_bytes() + args.out.num_bytes() +
                   (args.gate.rank == 0 ? 0 : args.gate.num_bytes()) +
                   plan.keys_read() * bytes_a_key,
          .flops = 4 * plan.keys_seen() * plan.num_heads() * plan.head_dim()};
}

}  // namespace

size_t AttentionScratchBytes(int num_heads, int num_kv_heads, int head_dim, int64_t max_positions) {
  const TileMemory memory = LargestTile(num_heads / num_kv_heads, head_dim);
  const int64_t nodes = 1 + NumLevels(max_positions);
  return static_cast<size_t>(nodes * memory.nodes_floats()) * sizeof(float);
}

absl::Status Attention(KernelContext& context, const AttentionArgs& args) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckArgs(args));
  const AttentionPlan& plan = *args.plan;
  const size_t scratch_bytes = AttentionScratchBytes(plan.num_heads(), plan.num_kv_heads(),
                                                     plan.head_dim(), plan.max_positions());

  const OpTimer timer(context.observer(), CostOf(args));
  context.ParallelFor(static_cast<int>(plan.tasks().size()), [&](int task, int thread) {
    ATOLL_ON_ISA(context, AttendTask(args, plan.tasks()[static_cast<size_t>(task)],
                                     context.Scratch(thread, scratch_bytes)));
  });
  if (plan.splits().empty()) return absl::OkStatus();
  context.ParallelFor(static_cast<int>(plan.splits().size()), [&](int split, int thread) {
    ATOLL_ON_ISA(context, MergeParts(args, plan.splits()[static_cast<size_t>(split)],
                                     context.Scratch(thread, scratch_bytes)));
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels
