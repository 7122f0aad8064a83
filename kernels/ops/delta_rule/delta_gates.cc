#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/delta_rule/delta_rule_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {
constexpr int64_t kRowsPerTask = 64;
}

absl::Status DeltaGates(KernelContext& context, const DeltaGatesArgs& args) {
  CHECK(DenormalsAreZero());
  const int64_t rows = args.a.dims[0], heads = args.a.dims[1];
  ATOLL_RETURN_IF_ERROR(CheckView("DeltaGates a", args.a, DType::kF32, {rows, heads}));
  ATOLL_RETURN_IF_ERROR(CheckView("DeltaGates b", args.b, DType::kF32, {rows, heads}));
  ATOLL_RETURN_IF_ERROR(CheckView("DeltaGates beta", args.beta, DType::kF32, {rows, heads}));
  ATOLL_RETURN_IF_ERROR(CheckView("DeltaGates decay", args.decay, DType::kF32, {rows, heads}));
  ATOLL_RETURN_IF_ERROR(CheckFloats("DeltaGates A_log", args.a_log, {heads}));
  ATOLL_RETURN_IF_ERROR(CheckFloats("DeltaGates dt_bias", args.dt_bias, {heads}));
  const int num_tasks = static_cast<int>((rows + kRowsPerTask - 1) / kRowsPerTask);
  const OpTimer timer(context.observer(), {.name = "delta_gates", .bytes = 4 * args.a.num_bytes()});
  context.ParallelFor(num_tasks, [&](int task, int /*thread*/) {
    const int64_t begin = task * kRowsPerTask;
    ATOLL_ON_PAGE(context, GateRows(args, begin, std::min(rows, begin + kRowsPerTask)));
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels
