// Chooses the experts of each row: softmax over all E in fp32 (16-lane tree), the k largest (ties
// to the lower id), renormalised.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// Shapes: logits [T, E] fp32; experts and weights T · k, row by row in ascending expert id. The
// chosen probabilities are summed one after another in ascending id and each divided by the sum. 1
// ≤ k ≤ min(E, 64), E ≤ 65,535. A NaN counts as −inf.
struct RouterTopkArgs {
  TensorView logits;
  int k = 0;
  std::span<uint16_t> experts;
  std::span<float> weights;
};
absl::Status RouterTopk(KernelContext& context, const RouterTopkArgs& args);

}  // namespace atl::kernels
