// Gated DeltaNet (docs/model.md 3.6) in the recurrent form with late write (docs/arithmetic.md 4).
#pragma once

#include <span>
#include <vector>

#include "common/base/status.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/ops/delta_rule/delta_rule.h"
#include "kernels/tensor/buffer.h"
#include "worker/kv_cache/kv_cache.h"
#include "worker/kv_cache/sequence_rows.h"
#include "worker/weights/model_weights.h"

namespace atl::worker {

struct DeltaNetConfig {
  int hidden = 0;
  kernels::DeltaShape shape;
  int conv_kernel = 0;
  float rms_norm_eps = 1e-6f;
};

// Buffers and per-step lists that all linear layers share; made before the layer loop.
class DeltaNetWorkspace {
 public:
  void Prepare(const DeltaNetConfig& config, int num_rows, std::span<const SequenceRows> sequences);

 private:
  friend class DeltaNetLayer;
  kernels::Buffer qkv_, z_, a_, b_;
  std::span<const SequenceRows> rows_;
  std::vector<kernels::DeltaSequence> sequences_;
};

class DeltaNetLayer {
 public:
  DeltaNetLayer(const DeltaNetConfig& config, const DeltaNetWeights& weights, int linear_index);

  // The same weights, of which more are packed now.
  void UseWeights(const DeltaNetWeights& weights) { weights_ = weights; }

  // y = DeltaNet(x) for the T rows of the step. Waiting rows are applied to the states (and count
  // from then on), new rows wait or go to the spare or, at position 0, to the slot itself: nothing
  // committed is overwritten. Shapes: x, y [T, H].
  absl::Status Forward(kernels::KernelContext& context, KvCache& cache,
                       DeltaNetWorkspace& workspace, const kernels::TensorView& x,
                       const kernels::TensorView& y) const;

 private:
  // What DeltaRule is to know of each sequence, into the workspace.
  void PlanSequences(KvCache& cache, DeltaNetWorkspace& workspace) const;
  // Waiting rows are in the state now, whether or not this step is committed.
  void CountWaitingRows(KvCache& cache, const DeltaNetWorkspace& workspace) const;

  DeltaNetConfig config_;
  DeltaNetWeights weights_;
  std::vector<float> conv_;  // [taps][C]
  int linear_index_;
};

}  // namespace atl::worker
