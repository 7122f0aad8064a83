#include "kernels/ops/rms_norm/rms_norm.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/rms_norm/rms_norm_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

constexpr int64_t kFloatsPerTask = 1 << 15;  // a task of rows that together fill half an L2

// x's own shape, which the other views must have: [T, D] or [T, N, D] fp32.
absl::Status CheckRows(const char* name, const TensorView& view, const TensorView& x) {
  if (x.rank == 2) return CheckView(name, view, DType::kF32, {x.dims[0], x.dims[1]});
  return CheckView(name, view, DType::kF32, {x.dims[0], x.dims[1], x.dims[2]});
}

absl::Status CheckNorm(const char* name, const TensorView& x, float epsilon) {
  ATOLL_RETURN_IF_ERROR(CheckRows(name, x, x));
  if (x.dims[x.rank - 1] < 1) return InvalidArgument("{}: rows have no elements", name);
  if (!(epsilon >= 0.0f && epsilon < 1.0f))
    return InvalidArgument("{}: epsilon {} is outside 0 … 1", name, epsilon);
  return absl::OkStatus();
}

// Body(begin, end) over the rows of x.
template <typename Body>
void OverRows(KernelContext& context, const TensorView& x, Body&& body) {
  const int64_t count = x.dims[x.rank - 1];
  const int64_t rows = x.num_elements() / count;
  const int64_t per_task = std::max<int64_t>(1, kFloatsPerTask / count);
  context.ParallelFor(static_cast<int>((rows + per_task - 1) / per_task), [&](int task, int) {
    body(task * per_task, std::min(rows, (task + 1) * per_task));
  });
}

}  // namespace

absl::Status RmsNorm(KernelContext& context, const RmsNormArgs& args) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckNorm("RmsNorm x", args.x, args.epsilon));
  ATOLL_RETURN_IF_ERROR(CheckRows("RmsNorm y", args.y, args.x));
  ATOLL_RETURN_IF_ERROR(CheckFloats("RmsNorm weight", args.weight, {args.x.dims[args.x.rank - 1]}));
  const OpTimer timer(context.observer(), {.name = "rms_norm", .bytes = 2 * args.x.num_bytes()});
  OverRows(context, args.x, [&](int64_t begin, int64_t end) {
    ATOLL_ON_ISA(context, RmsNormRows(args, begin, end));
  });
  return absl::OkStatus();
}

absl::Status AddRmsNorm(KernelContext& context, const AddRmsNormArgs& args) {
  CHECK(DenormalsAreZero());
  ATOLL_RETURN_IF_ERROR(CheckNorm("AddRmsNorm x", args.x, args.epsilon));
  ATOLL_RETURN_IF_ERROR(CheckRows("AddRmsNorm added", args.added, args.x));
  ATOLL_RETURN_IF_ERROR(CheckRows("AddRmsNorm y", args.y, args.x));
  ATOLL_RETURN_IF_ERROR(
      CheckFloats("AddRmsNorm weight", args.weight, {args.x.dims[args.x.rank - 1]}));
  const OpTimer timer(context.observer(),
                      {.name = "add_rms_norm", .bytes = 4 * args.x.num_bytes()});
  OverRows(context, args.x, [&](int64_t begin, int64_t end) {
    ATOLL_ON_ISA(context, AddRmsNormRows(args, begin, end));
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels
