// Rounds K and V rows to the cache's type and puts them into their blocks.
#pragma once

#include <span>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/ops/attention/attention_plan.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// Shapes: k, v [T, K, D] fp32, rows strided; sequences as in attention_plan.h.
struct KvWriteArgs {
  TensorView k;
  TensorView v;
  KvLayerView kv;
  std::span<const AttentionSequence> sequences;
};
absl::Status KvWrite(KernelContext& context, const KvWriteArgs& args);

}  // namespace atl::kernels
