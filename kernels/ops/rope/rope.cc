#include "kernels/ops/rope/rope.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "kernels/ops/rope/rope_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {
namespace {

constexpr int64_t kRowsPerTask = 16;
constexpr int32_t kMaxPosition = 1 << 24;  // above it a float no longer holds every position

int NumTasks(int64_t rows) { return static_cast<int>((rows + kRowsPerTask - 1) / kRowsPerTask); }

}  // namespace

absl::Status RotaryTable(KernelContext& context, const RotaryTableArgs& args) {
  CHECK(DenormalsAreZero());
  if (args.frequencies == nullptr) return InvalidArgument("RotaryTable: no frequencies given");
  const int64_t rows = static_cast<int64_t>(args.positions.size());
  const int64_t half = static_cast<int64_t>(args.frequencies->inv_freq.size());
  ATOLL_RETURN_IF_ERROR(CheckView("RotaryTable cos", args.cos, DType::kF32, {rows, half}));
  ATOLL_RETURN_IF_ERROR(CheckView("RotaryTable sin", args.sin, DType::kF32, {rows, half}));
  for (const int32_t position : args.positions) {
    if (position < 0 || position >= kMaxPosition)
      return InvalidArgument("RotaryTable: position {} is outside 0 … {}", position,
                             kMaxPosition - 1);
  }
  for (const float frequency : args.frequencies->inv_freq) {
    if (!(frequency >= 0.0f && frequency <= 1.0f))
      return InvalidArgument("RotaryTable: frequency {} is outside 0 … 1", frequency);
  }
  const OpTimer timer(context.observer(),
                      {.name = "rotary_table", .bytes = 2 * args.cos.num_bytes()});
  context.ParallelFor(NumTasks(rows), [&](int task, int /*thread*/) {
    const int64_t begin = task * kRowsPerTask;
    ref::RotaryTableRows(args, begin, std::min(rows, begin + kRowsPerTask));
  });
  return absl::OkStatus();
}

absl::Status Rope(KernelContext& context, const RopeArgs& args) {
  CHECK(DenormalsAreZero());
  const int64_t rows = args.x.dims[0], half = args.cos.dims[1];
  ATOLL_RETURN_IF_ERROR(
      CheckView("Rope x", args.x, DType::kF32, {rows, args.x.dims[1], args.x.dims[2]}));
  ATOLL_RETURN_IF_ERROR(CheckView("Rope cos", args.cos, DType::kF32, {rows, half}));
  ATOLL_RETURN_IF_ERROR(CheckView("Rope sin", args.sin, DType::kF32, {rows, half}));
  if (2 * half > args.x.dims[2])
    return InvalidArgument("Rope: {} rotary channels do not fit into heads of {}", 2 * half,
                           args.x.dims[2]);
  const OpTimer timer(context.observer(), {.name = "rope",
                                           .bytes = 2 * rows * args.x.dims[1] * 2 * half *
                                                    static_cast<int64_t>(sizeof(float))});
  context.ParallelFor(NumTasks(rows), [&](int task, int /*thread*/) {
    const int64_t begin = task * kRowsPerTask;
    ATOLL_ON_ISA(context, RopeRows(args, begin, std::min(rows, begin + kRowsPerTask)));
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels
