// Gated attention (docs/model.md 3.4).
#pragma once

#include <span>

#include "common/base/status.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/ops/attention/attention.h"
#include "kernels/tensor/buffer.h"
#include "worker/kv_cache/kv_cache.h"
#include "worker/kv_cache/sequence_rows.h"
#include "worker/weights/model_weights.h"

namespace atl::worker {

struct AttentionConfig {
  int hidden = 0;
  int num_heads = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
  float rms_norm_eps = 1e-6f;
};

// Buffers and per-step lists that all attention layers share; made before the layer loop.
class AttentionWorkspace {
 public:
  // kInvalidArgument: see AttentionPlan::Make.
  absl::Status Prepare(const kernels::KernelContext& context, const AttentionConfig& config,
                       int num_rows, std::span<const SequenceRows> sequences);

 private:
  friend class AttentionLayer;
  kernels::Buffer query_gate_, k_, v_, out_;
  std::vector<kernels::AttentionSequence> sequences_;
  kernels::AttentionPlan plan_;
};

class AttentionLayer {
 public:
  AttentionLayer(const AttentionConfig& config, const AttentionWeights& weights,
                 int attention_index)
      : config_(config), weights_(weights), attention_index_(attention_index) {}

  // The same weights, of which more are packed now.
  void UseWeights(const AttentionWeights& weights) { weights_ = weights; }

  // y = Attention(x) for the T rows of the step; writes their K and V to the cache first. Shapes:
  // x, y [T, H]; cos, sin [T, rotary / 2].
  struct Args {
    kernels::TensorView x;
    kernels::TensorView cos;
    kernels::TensorView sin;
    kernels::TensorView y;
  };
  absl::Status Forward(kernels::KernelContext& context, KvCache& cache,
                       AttentionWorkspace& workspace, const Args& args) const;

 private:
  AttentionConfig config_;
  AttentionWeights weights_;
  int attention_index_;
};

}  // namespace atl::worker
