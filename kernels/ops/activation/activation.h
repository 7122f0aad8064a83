// Element-wise: gates and residual additions. All fp32, rank 2, equal shapes, strided rows; out may
// be an input.
#pragma once

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

struct PairwiseArgs {
  TensorView a;  // [T, D]
  TensorView b;  // [T, D]
  TensorView out;
};
absl::Status SiluMul(KernelContext& context, const PairwiseArgs& args);  // out = silu(a) · b
absl::Status Add(KernelContext& context, const PairwiseArgs& args);      // out = a + b

}  // namespace atl::kernels
