#include "kernels/ops/grouped_gemm/grouped_gemm.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/grouped_gemm/grouped_gemm_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

absl::Status CheckRows(const GroupedSwiGluArgs& args) {
  const int64_t num_rows = static_cast<int64_t>(args.inputs.size());
  if (args.hidden < 1 || args.intermediate < 1)
    return InvalidArgument("GroupedSwiGlu: hidden {} and intermediate {} must be positive",
                           args.hidden, args.intermediate);
  if (args.outputs.size() != args.inputs.size())
    return InvalidArgument("GroupedSwiGlu: {} inputs and {} outputs", args.inputs.size(),
                           args.outputs.size());
  for (size_t p = 0; p < args.inputs.size(); ++p) {
    if (args.inputs[p] == nullptr || args.outputs[p] == nullptr)
      return InvalidArgument("GroupedSwiGlu: row {} has no input or no output", p);
  }
  return CheckView("GroupedSwiGlu workspace", args.workspace, DType::kF32,
                   {num_rows, args.intermediate});
}

absl::Status CheckExperts(const GroupedSwiGluArgs& args) {
  const int64_t num_rows = static_cast<int64_t>(args.inputs.size());
  for (const ExpertRows& expert : args.experts) {
    if (expert.row_begin < 0 || expert.num_rows < 0 ||
        int64_t{expert.row_begin} + expert.num_rows > num_rows)
      return InvalidArgument("GroupedSwiGlu: an expert has rows {} to {} of {}", expert.row_begin,
                             int64_t{expert.row_begin} + expert.num_rows, num_rows);
    const int64_t hidden = args.hidden, intermediate = args.intermediate;
    const ExpertWeights& weights = expert.weights;
    ATOLL_RETURN_IF_ERROR(CheckWeight("GroupedSwiGlu gate", weights.gate, {intermediate, hidden}));
    ATOLL_RETURN_IF_ERROR(CheckWeight("GroupedSwiGlu up", weights.up, {intermediate, hidden}));
    ATOLL_RETURN_IF_ERROR(CheckWeight("GroupedSwiGlu down", weights.down, {hidden, intermediate}));
  }
  return absl::OkStatus();
}

// Run(part) for every expert with rows and every cut of its `num_columns` columns.
template <typename Run>
void OverParts(KernelContext& context, const GroupedSwiGluArgs& args, int num_columns,
               int columns_per_part, Run&& run) {
  const int parts = (num_columns + columns_per_part - 1) / columns_per_part;
  const size_t scratch_bytes = GroupedScratchFloats(args.hidden) * sizeof(float);
  context.ParallelFor(static_cast<int>(args.experts.size()) * parts, [&](int task, int thread) {
    ExpertPart part;
    part.expert = &args.experts[static_cast<size_t>(task / parts)];
    if (part.expert->num_rows == 0) return;
    part.column_begin = task % parts * columns_per_part;
    part.num_columns = std::min(columns_per_part, num_columns - part.column_begin);
    part.scratch = reinterpret_cast<float*>(context.Scratch(thread, scratch_bytes));
    run(part);
  });
}

// Touched experts' weights once, rows in and out, the activations between.
OpCost CostOf(const GroupedSwiGluArgs& args) {
  OpCost cost{.name = "experts"};
  const int64_t exchange = static_cast<int64_t>(SizeOf(args.exchange_dtype));
  for (const ExpertRows& expert : args.experts) {
    if (expert.num_rows == 0) continue;
    const ExpertWeights& weights = expert.weights;
    cost.bytes += weights.gate.num_bytes() + weights.up.num_bytes() + weights.down.num_bytes();
    cost.bytes += expert.num_rows * 2 * args.hidden * exchange;
    cost.flops += int64_t{6} * expert.num_rows * args.hidden * args.intermediate;
  }
  return cost;
}

}  // namespace

absl::Status GroupedSwiGlu(KernelContext& context, const GroupedSwiGluArgs& args) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckRows(args));
  ATOLL_RETURN_IF_ERROR(CheckExperts(args));
  const OpTimer timer(context.observer(), CostOf(args));
  // Two phases: every column of the activations is ready before a down product reads them.
  OverParts(context, args, args.intermediate, kGateUpColumns,
            [&](const ExpertPart& part) { ATOLL_ON_PAGE(context, GateUpPart(args, part)); });
  OverParts(context, args, args.hidden, kDownColumns,
            [&](const ExpertPart& part) { ATOLL_ON_PAGE(context, DownPart(args, part)); });
  return absl::OkStatus();
}

}  // namespace atl::kernels
