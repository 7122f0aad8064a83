#include "kernels/ops/gemm/panels.h"

#include "common/base/status_macros.h"
#include "kernels/ops/gemm/gemm_isa.h"
#include "kernels/ops/view_check.h"

namespace atl::kernels {

absl::Status PackPanels(KernelContext& context, const PackPanelsArgs& args) {
  const int64_t rows = args.w.dims[0], depth = args.w.dims[1];
  ATOLL_RETURN_IF_ERROR(CheckView("PackPanels w", args.w, DType::kBf16, {rows, depth}));
  if (args.first < 0 || args.count < 0 || args.first + args.count > NumPanels(rows))
    return InvalidArgument("PackPanels: panels {} to {} of {}", args.first, args.first + args.count,
                           NumPanels(rows));
  if (args.count == 0 || depth == 0) return absl::OkStatus();
  if (args.panels == nullptr || reinterpret_cast<uintptr_t>(args.panels) % 64 != 0)
    return InvalidArgument("PackPanels: panels at {} must be memory aligned to 64 bytes",
                           reinterpret_cast<uintptr_t>(args.panels));
  context.ParallelFor(static_cast<int>(args.count), [&](int task, int) {
    ATOLL_ON_ISA(context,
                 PackPanelOf(args.w, args.first + task, args.panels + task * PanelElements(depth)));
  });
  return absl::OkStatus();
}

}  // namespace atl::kernels
