// Linear layers: y[t][n] = Σ_k x[t][k] · w[n][k], one fused multiply-add after another in ascending
// k, starting from +0. One row or many, any tile: the same chain for every output. Threads split n
// and t, never k.
#pragma once

#include <span>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/weight_view.h"

namespace atl::kernels {

// Shapes: x [T, K] fp32, w [N, K] of any type, row-major (may be a mapped file), y [T, N] fp32;
// rows of x and y may be strided. kInvalidArgument: shapes or types that disagree.
struct LinearArgs {
  TensorView x;
  WeightView w;
  TensorView y;
  const char* name = "linear";  // what observers are told
};
absl::Status Linear(KernelContext& context, const LinearArgs& args);

// Several layers of the same rows as one parallel region: x is read once, and no thread waits
// between them. Shapes and errors as Linear's for each.
struct LinearOutput {
  WeightView w;
  TensorView y;
};
struct LinearGroupArgs {
  TensorView x;
  std::span<const LinearOutput> outputs;
  const char* name = "linear";
};
absl::Status LinearGroup(KernelContext& context, const LinearGroupArgs& args);

}  // namespace atl::kernels
