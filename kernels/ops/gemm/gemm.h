// Linear layers: y[t][n] = Σ_k x[t][k] · w[n][k], one fused multiply-add after another in ascending
// k, starting from +0. One row or many, any tile: the same chain for every output. Threads split n
// and t, never k.
#pragma once

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/weight_view.h"

namespace atl::kernels {

// Shapes: x [T, K] fp32, w [N, K] of any type, row-major (may be a mapped file), y [T, N] fp32;
// rows of x and y may be strided. kInvalidArgument: shapes or types that disagree.
struct LinearArgs {
  TensorView x;
  WeightView w;
  TensorView y;
};
absl::Status Linear(KernelContext& context, const LinearArgs& args);

}  // namespace atl::kernels
