// Packing: the same numbers of a matrix in the order in which a product reads them (WeightView).
#pragma once

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/weight_view.h"

namespace atl::kernels {

// Writes panels [first, first + count) of w [N, K] bf16, row-major (rows may be strided), to
// `panels`: 64-byte aligned, count · PanelElements(K). A thread in the background packs with a
// context of its own, without threads. kInvalidArgument: another type, no such panels, misaligned.
struct PackPanelsArgs {
  TensorView w;
  int64_t first = 0;
  int64_t count = 0;
  Bf16* panels = nullptr;
};
absl::Status PackPanels(KernelContext& context, const PackPanelsArgs& args);

}  // namespace atl::kernels
