// Rows on their way to experts and back.
#pragma once

#include <span>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// Rounds fp32 rows to the exchange type (fp32: a copy). outputs[i] receives row source_rows[i] of x
// [T, H]; H elements of dtype.
struct RoundRowsArgs {
  TensorView x;
  std::span<const int32_t> source_rows;
  std::span<void* const> outputs;
  DType dtype = DType::kBf16;
};
absl::Status RoundRows(KernelContext& context, const RoundRowsArgs& args);

// Adds a MoE block's outputs to the residual stream: acc = sigmoid(gate)·shared, then acc =
// fma(w_e, y_e, acc) in the order given (ascending expert id), h = h + acc. Shapes: hidden, shared
// [T, H] fp32; shared_gate [T, 1] logits; expert_rows and weights T · k; expert rows are H elements
// of exchange_dtype.
struct CombineArgs {
  TensorView hidden;
  TensorView shared;
  TensorView shared_gate;
  std::span<const void* const> expert_rows;
  std::span<const float> weights;
  int k = 0;
  DType exchange_dtype = DType::kBf16;
};
absl::Status Combine(KernelContext& context, const CombineArgs& args);

}  // namespace atl::kernels
