// Causal attention over blocks of 64 tokens, in the canonical order of additions (docs/adr/0001,
// "Attention, in loop order").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/ids.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/ops/attention/kv_layout.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// Rows [row_begin, row_begin + num_rows) of q stand at positions position_begin … of one sequence,
// whose block i holds positions 64·i … 64·i + 63. K and V of these rows are in the cache already.
struct AttentionSequence {
  int row_begin = 0;
  int num_rows = 0;
  int64_t position_begin = 0;
  std::span<const BlockId> blocks;
};

// Shapes: q, out [T, N, D] fp32, rows strided; N a multiple of the KV heads. Threads split
// sequences, KV heads, tiles of 16 positions.
struct AttentionArgs {
  TensorView q;
  KvLayerView kv;
  std::span<const AttentionSequence> sequences;
  float scale = 0.0f;
  TensorView out;
};
// Query heads that may share a KV head.
inline constexpr int kMaxHeadsPerKvHead = 128;

// kInvalidArgument: shapes that disagree, too few blocks, a position of 2^24 or more.
absl::Status Attention(KernelContext& context, const AttentionArgs& args);

// Scratch that Attention takes of each thread when the sequences of a step end at or before
// `max_positions`. The context's default suffices for the published model; ask at start for others.
size_t AttentionScratchBytes(int num_heads, int num_kv_heads, int head_dim, int64_t max_positions);

// What Attention and KvWrite ask of their sequences: rows inside [0, num_rows), a block for every
// position.
absl::Status CheckSequences(const KvLayerView& kv, std::span<const AttentionSequence> sequences,
                            int64_t num_rows);

}  // namespace atl::kernels
