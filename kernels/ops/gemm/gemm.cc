#include "kernels/ops/gemm/gemm.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/gemm/gemm_isa.h"
#include "kernels/ops/gemm/gemm_plan.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

absl::Status CheckArgs(const LinearGroupArgs& args) {
  const int64_t rows = args.x.dims[0], depth = args.x.dims[1];
  ATOLL_RETURN_IF_ERROR(CheckView("Linear x", args.x, DType::kF32, {rows, depth}));
  for (const LinearOutput& output : args.outputs) {
    const int64_t columns = output.w.rows();
    ATOLL_RETURN_IF_ERROR(CheckWeight("Linear w", output.w, {columns, depth}));
    ATOLL_RETURN_IF_ERROR(CheckView("Linear y", output.y, DType::kF32, {rows, columns}));
  }
  if (depth < 1) return InvalidArgument("Linear: rows of x have no elements");
  return absl::OkStatus();
}

OpCost CostOf(const LinearGroupArgs& args) {
  OpCost cost{.name = args.name, .bytes = args.x.num_bytes()};
  for (const LinearOutput& output : args.outputs) {
    cost.bytes += output.w.num_bytes() + output.y.num_bytes();
    cost.flops += 2 * args.x.num_elements() * output.w.rows();
  }
  return cost;
}

GemmPlan PlanOf(const KernelContext& context, const LinearGroupArgs& args,
                const LinearOutput& output) {
  return PlanGemm({.rows = args.x.dims[0], .columns = output.w.rows(), .depth = args.x.dims[1]},
                  context.num_threads());
}

// The task's block of one layer.
LinearArgs PartOf(const LinearGroupArgs& args, const LinearOutput& output, const GemmPlan& plan,
                  int task) {
  const int64_t row = task / plan.column_tasks * plan.rows_per_task;
  const int64_t column = task % plan.column_tasks * plan.columns_per_task;
  const int64_t num_rows = std::min(plan.rows_per_task, args.x.dims[0] - row);
  const int64_t num_columns = std::min(plan.columns_per_task, output.w.rows() - column);
  return {.x = Rows(args.x, row, num_rows),
          .w = Rows(output.w, column, num_columns),
          .y = Columns(Rows(output.y, row, num_rows), column, num_columns)};
}

}  // namespace

absl::Status Linear(KernelContext& context, const LinearArgs& args) {
  const LinearOutput output{.w = args.w, .y = args.y};
  return LinearGroup(context, {.x = args.x, .outputs = {&output, 1}, .name = args.name});
}

absl::Status LinearGroup(KernelContext& context, const LinearGroupArgs& args) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckArgs(args));
  if (args.x.dims[0] == 0) return absl::OkStatus();
  const OpTimer timer(context.observer(), CostOf(args));
  int num_tasks = 0;
  for (const LinearOutput& output : args.outputs)
    if (output.w.rows() > 0) num_tasks += PlanOf(context, args, output).num_tasks();
  context.ParallelFor(num_tasks, [&](int task, int thread) {
    float* scratch =
        reinterpret_cast<float*>(context.Scratch(thread, kGemmScratchFloats * sizeof(float)));
    for (const LinearOutput& output : args.outputs) {
      if (output.w.rows() == 0) continue;
      const GemmPlan plan = PlanOf(context, args, output);
      if (task < plan.num_tasks()) {
        ATOLL_ON_ISA(context, LinearPart(PartOf(args, output, plan, task), scratch));
        return;
      }
      task -= plan.num_tasks();
    }
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels
