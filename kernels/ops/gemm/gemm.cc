#include "kernels/ops/gemm/gemm.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/gemm/gemm_isa.h"
#include "kernels/ops/gemm/gemm_plan.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {

absl::Status Linear(KernelContext& context, const LinearArgs& args) {
  CHECK(DenormalsAreZero());
  const int64_t rows = args.x.dims[0], depth = args.x.dims[1], columns = args.w.rows();
  ATOLL_RETURN_IF_ERROR(CheckView("Linear x", args.x, DType::kF32, {rows, depth}));
  ATOLL_RETURN_IF_ERROR(CheckWeight("Linear w", args.w, {columns, depth}));
  ATOLL_RETURN_IF_ERROR(CheckView("Linear y", args.y, DType::kF32, {rows, columns}));
  if (depth < 1) return InvalidArgument("Linear: rows of x have no elements");
  if (rows == 0 || columns == 0) return absl::OkStatus();
  const OpTimer timer(context.observer(),
                      {.name = args.name,
                       .bytes = args.x.num_bytes() + args.w.num_bytes() + args.y.num_bytes(),
                       .flops = 2 * rows * depth * columns});
  const GemmPlan plan = PlanGemm(rows, columns, context.num_threads());
  context.ParallelFor(plan.row_tasks * plan.column_tasks, [&](int task, int thread) {
    const int64_t row = task / plan.column_tasks * plan.rows_per_task;
    const int64_t column = task % plan.column_tasks * plan.columns_per_task;
    const int64_t num_rows = std::min(plan.rows_per_task, rows - row);
    const int64_t num_columns = std::min(plan.columns_per_task, columns - column);
    if (num_rows <= 0) return;
    const LinearArgs part{.x = Rows(args.x, row, num_rows),
                          .w = Rows(args.w, column, num_columns),
                          .y = Columns(Rows(args.y, row, num_rows), column, num_columns)};
    std::byte* scratch = context.Scratch(thread, kGemmScratchFloats * sizeof(float));
    ATOLL_ON_PAGE(context, LinearPart(part, reinterpret_cast<float*>(scratch)));
  });
  return absl::OkStatus();
}

absl::Status LinearGroup(KernelContext& context, const LinearGroupArgs& args) {
  for (const LinearOutput& output : args.outputs) {
    ATOLL_RETURN_IF_ERROR(
        Linear(context, {.x = args.x, .w = output.w, .y = output.y, .name = args.name}));
  }
  return absl::OkStatus();
}

}  // namespace atl::kernels
