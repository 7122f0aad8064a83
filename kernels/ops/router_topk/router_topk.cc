#include "kernels/ops/router_topk/router_topk.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/router_topk/router_topk_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {
constexpr int64_t kMaxExperts = 65535;  // ids are uint16
constexpr int kMaxChosen = 64;          // the insertion sort by id stays small
constexpr int64_t kRowsPerTask = 16;
}  // namespace

absl::Status RouterTopk(KernelContext& context, const RouterTopkArgs& args) {
  CHECK(DenormalsAreZero());
  const int64_t rows = args.logits.dims[0], num_experts = args.logits.dims[1];
  ATOLL_RETURN_IF_ERROR(
      CheckView("RouterTopk logits", args.logits, DType::kF32, {rows, num_experts}));
  if (num_experts > kMaxExperts)
    return InvalidArgument("RouterTopk: {} experts, at most {} have an id", num_experts,
                           kMaxExperts);
  if (args.k < 1 || args.k > std::min<int64_t>(num_experts, kMaxChosen))
    return InvalidArgument("RouterTopk: k is {}, it must be between 1 and {}", args.k,
                           std::min<int64_t>(num_experts, kMaxChosen));
  const size_t chosen = static_cast<size_t>(rows * args.k);
  if (args.experts.size() != chosen || args.weights.size() != chosen)
    return InvalidArgument("RouterTopk: {} expert ids and {} weights for {} rows of {}",
                           args.experts.size(), args.weights.size(), rows, args.k);
  const OpTimer timer(context.observer(),
                      {.name = "router_topk", .bytes = args.logits.num_bytes()});
  const size_t scratch_bytes = static_cast<size_t>((num_experts + 15) / 16 * 16) * sizeof(float);
  context.ParallelFor(
      static_cast<int>((rows + kRowsPerTask - 1) / kRowsPerTask), [&](int task, int thread) {
        float* scratch = reinterpret_cast<float*>(context.Scratch(thread, scratch_bytes));
        const int64_t end = std::min(rows, (task + 1) * kRowsPerTask);
        for (int64_t t = task * kRowsPerTask; t < end; ++t)
          ATOLL_ON_ISA(context, RouterTopkRow(args, t, scratch));
      });
  return absl::OkStatus();
}

}  // namespace atl::kernels
