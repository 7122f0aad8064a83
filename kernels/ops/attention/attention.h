// Causal attention over blocks of 64 tokens, in the order of additions of
// docs/arithmetic.md 3.
//
//   AttentionPlan plan;                                  // once a step
//   RETURN_IF_ERROR(plan.Make({.num_heads = 16, …}));
//   RETURN_IF_ERROR(Attention(context, {.plan = &plan, .q = q, .kv = layer, …}));  // each layer
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dispatch/kernel_context.h"
#include "kernels/ops/attention/attention_plan.h"
#include "kernels/ops/attention/kv_layout.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// out = softmax(q·Kᵀ · scale)·V, times sigmoid(gate) where there is a gate (a view of rank 0 is
// none). Shapes: q, gate, out [T, N, D] fp32, rows and heads strided; N a multiple of the KV heads.
// Threads split tiles of 16 positions, KV heads, and runs of whole spans where one sequence is
// much of the work.
struct AttentionArgs {
  const AttentionPlan* plan = nullptr;
  TensorView q;
  KvLayerView kv;
  float scale = 0.0f;
  TensorView gate = {};
  TensorView out;
};

// kInvalidArgument: shapes that disagree with each other or with the plan.
absl::Status Attention(KernelContext& context, const AttentionArgs& args);

// Scratch that Attention takes of each thread when the sequences of a step end at or before
// `max_positions`. The context's default suffices for the published model; ask at start for others.
size_t AttentionScratchBytes(int num_heads, int num_kv_heads, int head_dim, int64_t max_positions);

}  // namespace atl::kernels
