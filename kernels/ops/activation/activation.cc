#include "kernels/ops/activation/activation.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/activation/activation_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

constexpr int64_t kFloatsPerTask = 1 << 15;

template <typename Body>
absl::Status OverRows(KernelContext& context, const PairwiseArgs& args, Body&& body) {
  CHECK(DenormalsAreZero());
  const int64_t rows = args.a.dims[0], count = args.a.dims[1];
  ATOLL_RETURN_IF_ERROR(CheckView("element-wise a", args.a, DType::kF32, {rows, count}));
  ATOLL_RETURN_IF_ERROR(CheckView("element-wise b", args.b, DType::kF32, {rows, count}));
  ATOLL_RETURN_IF_ERROR(CheckView("element-wise out", args.out, DType::kF32, {rows, count}));
  const int64_t per_task = std::max<int64_t>(1, kFloatsPerTask / std::max<int64_t>(1, count));
  const OpTimer timer(context.observer(),
                      {.name = "element-wise", .bytes = 3 * args.a.num_bytes()});
  context.ParallelFor(static_cast<int>((rows + per_task - 1) / per_task), [&](int task, int) {
    body(task * per_task, std::min(rows, (task + 1) * per_task));
  });
  return absl::OkStatus();
}

}  // namespace

absl::Status SiluMul(KernelContext& context, const PairwiseArgs& args) {
  return OverRows(context, args, [&](int64_t begin, int64_t end) {
    ATOLL_ON_PAGE(context, SiluMulRows(args, begin, end));
  });
}

absl::Status Add(KernelContext& context, const PairwiseArgs& args) {
  return OverRows(context, args, [&](int64_t begin, int64_t end) {
    ATOLL_ON_PAGE(context, AddRows(args, begin, end));
  });
}

}  // namespace atl::kernels
