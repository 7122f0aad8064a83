// Root-mean-square norms over the last dimension; sums by the 16-lane tree.
#pragma once

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// y = (x · s)(1 + w), s = 1 / sqrt(sum(x²) / D + epsilon): the weight is zero-centred
// (docs/model.md 3.2). Shapes: x, y [T, D] or [T, N, D] fp32, any strides of the outer dimensions,
// y may be x; weight [D] bf16 or fp32.
struct RmsNormArgs {
  TensorView x;
  TensorView weight;
  float epsilon = 1e-6f;
  TensorView y;
};
absl::Status RmsNorm(KernelContext& context, const RmsNormArgs& args);

// x += added, then y = the norm above of x: what a block adds to the residual stream, and the input
// of the next, while the row is in the cache. The bits of Add and RmsNorm. x and added may not be
// y.
struct AddRmsNormArgs {
  TensorView x;
  TensorView added;
  TensorView weight;
  float epsilon = 1e-6f;
  TensorView y;
};
absl::Status AddRmsNorm(KernelContext& context, const AddRmsNormArgs& args);

}  // namespace atl::kernels
