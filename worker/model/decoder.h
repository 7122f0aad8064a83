// The decoder stack: token ids in, logits out, for the rows of one step.
#pragma once

#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "common/base/status.h"
#include "common/config/model_config.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/ops/rope/rotary_cache.h"
#include "worker/kv_cache/kv_cache.h"
#include "worker/kv_cache/sequence_rows.h"
#include "worker/layers/attention_layer.h"
#include "worker/layers/delta_net_layer.h"
#include "worker/moe/moe_layer.h"
#include "worker/weights/model_weights.h"

namespace atl::worker {

struct DecoderOptions {
  kernels::DType dtype = kernels::DType::kBf16;  // of what is kept and sent
};

// The rows of a step on this rank. T may be 0: then the rank only serves its experts.
struct DecoderBatch {
  MessageKey key;  // epoch and step
  std::span<const TokenId> ids;
  std::span<const int32_t> positions;
  std::span<const SequenceRows> sequences;
  std::span<const int32_t> rows_by_rank;
};

class Decoder {
 public:
  // `weights` views memory that outlives the decoder. expert_owner[layer][expert] → rank.
  // kUnimplemented: a shape that the kernels cannot run.
  static absl::StatusOr<std::unique_ptr<Decoder>> Create(const ModelConfig& config,
                                                         const ModelWeights& weights,
                                                         const DecoderOptions& options);

  // Between two forward passes: the same weights, of which more are packed now.
  void UseWeights(const ModelWeights& weights);

  const ModelConfig& config() const { return config_; }
  // One forward pass; hidden() holds the residual stream of the T rows afterwards. kUnavailable and
  // kDeadlineExceeded come from the exchange: then nothing counts and the step may be run again.
  struct Workspace {
    kernels::KernelContext& context;
    KvCache& cache;
    TokenDispatcher& dispatcher;
    std::span<const std::vector<int32_t>> expert_owner;
  };
  absl::Status Forward(const Workspace& workspace, const DecoderBatch& batch);

  // Logits of chosen rows of the last Forward: final norm, then the head. out [rows, V] fp32.
  absl::Status Logits(kernels::KernelContext& context, std::span<const int32_t> rows,
                      const kernels::TensorView& out);

  MoeLoad& load() { return load_; }

 private:
  struct Layer {
    kernels::TensorView input_norm, post_norm;
    std::variant<AttentionLayer, DeltaNetLayer> mixer;
    MoeLayer moe;
  };

  Decoder() = default;
  void MakeLayers(const ModelWeights& weights);
  absl::Status Prepare(const Workspace& workspace, const DecoderBatch& batch);
  absl::Status Mix(const Workspace& workspace, const Layer& layer, const kernels::TensorView& x,
                   const kernels::TensorView& y);

  ModelConfig config_;
  AttentionConfig attention_;
  DeltaNetConfig delta_net_;
  MoeConfig moe_;
  kernels::TensorView embedding_, final_norm_;
  kernels::WeightView head_;
  std::vector<Layer> layers_;
  kernels::RotaryCache rotary_;

  AttentionWorkspace attention_workspace_;
  DeltaNetWorkspace delta_net_workspace_;
  MoeWorkspace moe_workspace_;
  kernels::Buffer hidden_, normed_, mixed_, cos_, sin_, head_in_;
  int num_rows_ = 0;
  MoeLoad load_;
};

}  // namespace atl::worker
