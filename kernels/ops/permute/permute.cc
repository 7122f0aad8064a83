#include "kernels/ops/permute/permute.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/permute/permute_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

// Rows of one task of RoundRows: one takes a fraction of a microsecond.
constexpr int kRowsPerTask = 8;

}  // namespace

absl::Status RoundRows(KernelContext& context, const RoundRowsArgs& args) {
  CHECK(DenormalsAreZero());
  const int64_t rows = args.x.dims[0], hidden = args.x.dims[1];
  ATOLL_RETURN_IF_ERROR(CheckView("RoundRows x", args.x, DType::kF32, {rows, hidden}));
  if (args.source_rows.size() != args.outputs.size())
    return InvalidArgument("RoundRows: {} source rows for {} outputs", args.source_rows.size(),
                           args.outputs.size());
  for (size_t i = 0; i < args.source_rows.size(); ++i) {
    if (args.source_rows[i] < 0 || args.source_rows[i] >= rows)
      return InvalidArgument("RoundRows: source row {} is outside the {} rows of x",
                             args.source_rows[i], rows);
    if (args.outputs[i] == nullptr) return InvalidArgument("RoundRows: output {} has no memory", i);
  }
  const OpTimer timer(context.observer(),
                      {.name = "round_rows",
                       .bytes = static_cast<int64_t>(args.outputs.size()) * hidden *
                                static_cast<int64_t>(sizeof(float) + SizeOf(args.dtype))});
  const int num_rows = static_cast<int>(args.outputs.size());
  context.ParallelFor((num_rows + kRowsPerTask - 1) / kRowsPerTask, [&](int task, int /*thread*/) {
    const int begin = task * kRowsPerTask;
    const int end = std::min(begin + kRowsPerTask, num_rows);
    ATOLL_ON_ISA(context, RoundRowRange(args, begin, end));
  });
  return absl::OkStatus();
}

absl::Status Combine(KernelContext& context, const CombineArgs& args) {
  CHECK(DenormalsAreZero());
  const int64_t rows = args.hidden.dims[0], hidden = args.hidden.dims[1];
  ATOLL_RETURN_IF_ERROR(CheckView("Combine hidden", args.hidden, DType::kF32, {rows, hidden}));
  ATOLL_RETURN_IF_ERROR(CheckView("Combine shared", args.shared, DType::kF32, {rows, hidden}));
  ATOLL_RETURN_IF_ERROR(CheckView("Combine shared_gate", args.shared_gate, DType::kF32, {rows, 1}));
  const size_t chosen = static_cast<size_t>(rows) * static_cast<size_t>(args.k < 0 ? 0 : args.k);
  if (args.k < 0 || args.expert_rows.size() != chosen || args.weights.size() != chosen)
    return InvalidArgument("Combine: {} expert rows and {} weights for {} rows of {}",
                           args.expert_rows.size(), args.weights.size(), rows, args.k);
  for (size_t i = 0; i < args.expert_rows.size(); ++i) {
    if (args.expert_rows[i] == nullptr)
      return InvalidArgument("Combine: expert row {} has no memory", i);
  }
  const int64_t row_bytes = hidden * static_cast<int64_t>(SizeOf(args.exchange_dtype));
  const OpTimer timer(context.observer(), {.name = "combine",
                                           .bytes = 3 * args.hidden.num_bytes() +
                                                    static_cast<int64_t>(chosen) * row_bytes});
  context.ParallelFor(static_cast<int>(rows),
                      [&](int t, int /*thread*/) { ATOLL_ON_ISA(context, CombineRow(args, t)); });
  return absl::OkStatus();
}

}  // namespace atl::kernels
