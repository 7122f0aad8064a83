#include "kernels/ops/grouped_gemm/grouped_gemm.h"

#include <algorithm>
#include <span>

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

absl::Status CheckWeights(const ExpertWeights& weights, int64_t hidden, int64_t intermediate) {
  ATOLL_RETURN_IF_ERROR(CheckWeight("GroupedSwiGlu gate", weights.gate, {intermediate, hidden}));
  ATOLL_RETURN_IF_ERROR(CheckWeight("GroupedSwiGlu up", weights.up, {intermediate, hidden}));
  return CheckWeight("GroupedSwiGlu down", weights.down, {hidden, intermediate});
}

absl::Status CheckExperts(const GroupedSwiGluArgs& args) {
  const int64_t num_rows = static_cast<int64_t>(args.inputs.size());
  for (const ExpertRows& expert : args.experts) {
    if (expert.row_begin < 0 || expert.num_rows < 0 ||
        int64_t{expert.row_begin} + expert.num_rows > num_rows)
      return InvalidArgument("GroupedSwiGlu: an expert has rows {} to {} of {}", expert.row_begin,
                             int64_t{expert.row_begin} + expert.num_rows, num_rows);
    ATOLL_RETURN_IF_ERROR(CheckWeights(expert.weights, args.hidden, args.intermediate));
  }
  return absl::OkStatus();
}

absl::Status CheckShared(const SharedExpertRows& shared, int64_t hidden) {
  const int64_t num_rows = shared.x.dims[0], intermediate = shared.intermediate;
  if (intermediate < 1)
    return InvalidArgument("GroupedSwiGlu: the shared expert's intermediate {} must be positive",
                           intermediate);
  ATOLL_RETURN_IF_ERROR(
      CheckView("GroupedSwiGlu shared x", shared.x, DType::kF32, {num_rows, hidden}));
  ATOLL_RETURN_IF_ERROR(
      CheckView("GroupedSwiGlu shared y", shared.y, DType::kF32, {num_rows, hidden}));
  ATOLL_RETURN_IF_ERROR(CheckView("GroupedSwiGlu shared workspace", shared.workspace, DType::kF32,
                                  {num_rows, intermediate}));
  return CheckWeights(shared.weights, hidden, intermediate);
}

int NumSharedRows(const GroupedSwiGluArgs& args) {
  return args.shared == nullptr ? 0 : static_cast<int>(args.shared->x.dims[0]);
}

int64_t NumBytes(const ExpertWeights& weights) {
  return weights.gate.num_bytes() + weights.up.num_bytes() + weights.down.num_bytes();
}

// Touched experts' weights once, rows in and out.
OpCost CostOf(const GroupedSwiGluArgs& args) {
  OpCost cost{.name = args.name};
  const int64_t exchange = static_cast<int64_t>(SizeOf(args.exchange_dtype));
  for (const ExpertRows& expert : args.experts) {
    if (expert.num_rows == 0) continue;
    cost.bytes += NumBytes(expert.weights) + expert.num_rows * 2 * args.hidden * exchange;
    cost.flops += int64_t{6} * expert.num_rows * args.hidden * args.intermediate;
  }
  if (const int64_t rows = NumSharedRows(args); rows > 0) {
    cost.bytes += NumBytes(args.shared->weights) + 2 * args.shared->x.num_bytes();
    cost.flops += 6 * rows * args.hidden * args.shared->intermediate;
  }
  return cost;
}

// The touched experts, those with the most rows first, so that threads end together: indices into
// args.experts.
std::span<const int> Order(const GroupedSwiGluArgs& args, int* memory) {
  int count = 0;
  for (int e = 0; e < static_cast<int>(args.experts.size()); ++e)
    if (args.experts[static_cast<size_t>(e)].num_rows > 0) memory[count++] = e;
  const auto rows = [&](int e) { return args.experts[static_cast<size_t>(e)].num_rows; };
  std::sort(memory, memory + count,
            [&](int a, int b) { return rows(a) != rows(b) ? rows(a) > rows(b) : a < b; });
  return {memory, static_cast<size_t>(count)};
}

// One of the two products: the columns that it has, and how many of them are a part.
struct Phase {
  int shared_columns;
  int columns;
  int columns_per_part;
  int SharedParts() const { return (shared_columns + columns_per_part - 1) / columns_per_part; }
  int Parts() const { return (columns + columns_per_part - 1) / columns_per_part; }
};

ExpertPart SharedPart(const SharedExpertRows& shared) {
  return {.weights = &shared.weights,
          .shared = &shared,
          .activations = shared.workspace,
          .num_rows = static_cast<int>(shared.x.dims[0])};
}

ExpertPart RoutedPart(const GroupedSwiGluArgs& args, const ExpertRows& expert) {
  return {.weights = &expert.weights,
          .inputs = args.inputs.data() + expert.row_begin,
          .outputs = args.outputs.data() + expert.row_begin,
          .exchange_dtype = args.exchange_dtype,
          .activations = Rows(args.workspace, expert.row_begin, expert.num_rows),
          .num_rows = expert.num_rows};
}

// run(part) for every part of every expert: the shared one, which has the most rows, then in order.
template <typename Run>
void OverParts(KernelContext& context, const GroupedSwiGluArgs& args, std::span<const int> order,
               const Phase& phase, Run&& run) {
  const int shared_parts = NumSharedRows(args) > 0 ? phase.SharedParts() : 0;
  const int num_tasks = shared_parts + static_cast<int>(order.size()) * phase.Parts();
  context.ParallelFor(num_tasks, [&](int task, int thread) {
    const bool is_shared = task < shared_parts;
    const int routed = task - shared_parts;
    ExpertPart part =
        is_shared ? SharedPart(*args.shared)
                  : RoutedPart(args, args.experts[static_cast<size_t>(
                                         order[static_cast<size_t>(routed / phase.Parts())])]);
    part.column_begin = (is_shared ? task : routed % phase.Parts()) * phase.columns_per_part;
    part.num_columns =
        std::min(phase.columns_per_part,
                 (is_shared ? phase.shared_columns : phase.columns) - part.column_begin);
    part.scratch =
        reinterpret_cast<float*>(context.Scratch(thread, kExpertScratchFloats * sizeof(float)));
    run(part);
  });
}

}  // namespace

absl::Status GroupedSwiGlu(KernelContext& context, const GroupedSwiGluArgs& args) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckRows(args));
  ATOLL_RETURN_IF_ERROR(CheckExperts(args));
  if (args.shared != nullptr) ATOLL_RETURN_IF_ERROR(CheckShared(*args.shared, args.hidden));
  const OpTimer timer(context.observer(), CostOf(args));
  // Behind what the first thread computes in.
  constexpr size_t kOrderAt = kExpertScratchFloats * sizeof(float);
  const std::span<const int> order =
      Order(args, reinterpret_cast<int*>(
                      context.Scratch(0, kOrderAt + args.experts.size() * sizeof(int)) + kOrderAt));
  if (order.empty() && NumSharedRows(args) == 0) return absl::OkStatus();
  const int shared = args.shared == nullptr ? 0 : args.shared->intermediate;
  // Two phases: every column of the activations is ready before a down product reads them.
  OverParts(context, args, order, {shared, args.intermediate, kGateUpColumns},
            [&](const ExpertPart& part) { ATOLL_ON_ISA(context, GateUpPart(part)); });
  OverParts(context, args, order, {args.hidden, args.hidden, kDownColumns},
            [&](const ExpertPart& part) { ATOLL_ON_ISA(context, DownPart(part)); });
  return absl::OkStatus();
}

}  // namespace atl::kernels
