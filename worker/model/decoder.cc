#include "worker/model/decoder.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "common/base/status_macros.h"
#include "kernels/ops/attention/attention.h"
#include "kernels/ops/embedding/embedding.h"
#include "kernels/ops/gemm/gemm.h"
#include "kernels/ops/rms_norm/rms_norm.h"
#include "worker/model/layer_configs.h"

namespace atl::worker {
namespace {

// What the kernels cannot run is refused before the first request.
absl::Status CheckKernelLimits(const ModelConfig& config) {
  const int heads_per_kv_head = config.num_attention_heads / config.num_kv_heads;
  if (heads_per_kv_head > kernels::kMaxHeadsPerKvHead) {
    return Unimplemented(
        "num_attention_heads {} over num_key_value_heads {}: at most {} may share one",
        config.num_attention_heads, config.num_kv_heads, kernels::kMaxHeadsPerKvHead);
  }
  const size_t scratch_bytes = kernels::AttentionScratchBytes(
      config.num_attention_heads, config.num_kv_heads, config.head_dim, config.context_length());
  if (scratch_bytes > kernels::KernelContext::kDefaultScratchBytes) {
    return Unimplemented(
        "head_dim {} with {} query heads a KV head and {} positions: attention would need {} bytes "
        "of scratch a thread, it has {}",
        config.head_dim, heads_per_kv_head, config.context_length(), scratch_bytes,
        kernels::KernelContext::kDefaultScratchBytes);
  }
  return absl::OkStatus();
}

}  // namespace

using kernels::F32;
using kernels::TensorView;

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Create(const ModelConfig& config,
                                                         const ModelWeights& weights,
                                                         const DecoderOptions& options) {
  ATOLL_RETURN_IF_ERROR(CheckKernelLimits(config));
  std::unique_ptr<Decoder> decoder(new Decoder);
  decoder->config_ = config;
  ATOLL_ASSIGN_OR_RETURN(decoder->rotary_, RotaryCacheOf(config));
  decoder->attention_ = AttentionConfigOf(config);
  decoder->delta_net_ = DeltaNetConfigOf(config);
  decoder->moe_ = MoeConfigOf(config, options.dtype);
  decoder->embedding_ = weights.embedding;
  decoder->final_norm_ = weights.final_norm;
  decoder->head_ = weights.head;
  decoder->MakeLayers(weights);
  decoder->load_.expert_rows.assign(decoder->layers_.size(),
                                    std::vector<uint32_t>(static_cast<size_t>(config.num_experts)));
  return decoder;
}

void Decoder::MakeLayers(const ModelWeights& weights) {
  int attention_index = 0, linear_index = 0;
  for (int i = 0; i < config_.num_layers(); ++i) {
    const LayerWeights& layer = weights.layers[static_cast<size_t>(i)];
    const MoeLayer moe(moe_, layer.moe, i);
    if (layer.type == LayerType::kFullAttention) {
      layers_.push_back({layer.input_norm, layer.post_norm,
                         AttentionLayer(attention_, layer.attention, attention_index++), moe});
    } else {
      layers_.push_back({layer.input_norm, layer.post_norm,
                         DeltaNetLayer(delta_net_, layer.delta_net, linear_index++), moe});
    }
  }
}

// Only matrices are packed: tables, norms and convolutions stay as they were made.
void Decoder::UseWeights(const ModelWeights& weights) {
  head_ = weights.head;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerWeights& layer = weights.layers[i];
    layers_[i].moe.UseWeights(layer.moe);
    if (auto* attention = std::get_if<AttentionLayer>(&layers_[i].mixer)) {
      attention->UseWeights(layer.attention);
    } else {
      std::get<DeltaNetLayer>(layers_[i].mixer).UseWeights(layer.delta_net);
    }
  }
}

// Everything that the layer loop needs and that depends on the step.
absl::Status Decoder::Prepare(const Workspace& workspace, const DecoderBatch& batch) {
  num_rows_ = static_cast<int>(batch.positions.size());
  const int64_t t = num_rows_, half = config_.rope.rotary_dim / 2;
  const int all_rows = std::accumulate(batch.rows_by_rank.begin(), batch.rows_by_rank.end(), 0);
  ATOLL_RETURN_IF_ERROR(workspace.dispatcher.Prepare(batch.rows_by_rank));
  for (kernels::Buffer* buffer : {&hidden_, &normed_, &mixed_})
    buffer->ReserveFloats(t * config_.hidden_size);
  cos_.ReserveFloats(t * half);
  sin_.ReserveFloats(t * half);
  ATOLL_RETURN_IF_ERROR(
      attention_workspace_.Prepare(workspace.context, attention_, num_rows_, batch.sequences));
  delta_net_workspace_.Prepare(delta_net_, num_rows_, batch.sequences);
  moe_workspace_.Prepare(moe_, num_rows_, std::max(all_rows, num_rows_));
  if (num_rows_ == 0) return absl::OkStatus();
  return rotary_.Rows(workspace.context, {.positions = batch.positions,
                                          .cos = F32(cos_.f32(), {t, half}),
                                          .sin = F32(sin_.f32(), {t, half})});
}

absl::Status Decoder::Mix(const Workspace& workspace, const Layer& layer, const TensorView& x,
                          const TensorView& y) {
  if (const auto* delta_net = std::get_if<DeltaNetLayer>(&layer.mixer)) {
    return delta_net->Forward(workspace.context, workspace.cache, delta_net_workspace_, x, y);
  }
  const int64_t t = x.dims[0], half = config_.rope.rotary_dim / 2;
  return std::get<AttentionLayer>(layer.mixer)
      .Forward(
          workspace.context, workspace.cache, attention_workspace_,
          {.x = x, .cos = F32(cos_.f32(), {t, half}), .sin = F32(sin_.f32(), {t, half}), .y = y});
}

absl::Status Decoder::Forward(const Workspace& workspace, const DecoderBatch& batch) {
  ATOLL_RETURN_IF_ERROR(Prepare(workspace, batch));
  const int64_t t = num_rows_, h = config_.hidden_size;
  const TensorView hidden = F32(hidden_.f32(), {t, h});
  const TensorView normed = F32(normed_.f32(), {t, h});
  const TensorView mixed = F32(mixed_.f32(), {t, h});
  const float eps = config_.rms_norm_eps;
  if (t > 0)
    ATOLL_RETURN_IF_ERROR(
        Embedding(workspace.context, {.table = embedding_, .ids = batch.ids, .out = hidden}));
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    if (t > 0) {
      ATOLL_RETURN_IF_ERROR(
          RmsNorm(workspace.context,
                  {.x = hidden, .weight = layer.input_norm, .epsilon = eps, .y = normed}));
      ATOLL_RETURN_IF_ERROR(Mix(workspace, layer, normed, mixed));
      ATOLL_RETURN_IF_ERROR(AddRmsNorm(
          workspace.context,
          {.x = hidden, .added = mixed, .weight = layer.post_norm, .epsilon = eps, .y = normed}));
    }
    ATOLL_RETURN_IF_ERROR(layer.moe.Forward(
        workspace.context, workspace.dispatcher, moe_workspace_, load_,
        {.key = batch.key, .x = normed, .hidden = hidden, .owner = workspace.expert_owner[i]}));
  }
  return absl::OkStatus();
}

absl::Status Decoder::Logits(kernels::KernelContext& context, std::span<const int32_t> rows,
                             const TensorView& out) {
  const int64_t s = static_cast<int64_t>(rows.size()), h = config_.hidden_size;
  head_in_.ReserveFloats(s * h);
  for (size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i] >= 0 && rows[i] < num_rows_, "row {} of {}", rows[i], num_rows_);
    std::memcpy(head_in_.f32() + static_cast<int64_t>(i) * h, hidden_.f32() + rows[i] * h,
                static_cast<size_t>(h) * sizeof(float));
  }
  const TensorView x = F32(head_in_.f32(), {s, h});
  ATOLL_RETURN_IF_ERROR(
      RmsNorm(context, {.x = x, .weight = final_norm_, .epsilon = config_.rms_norm_eps, .y = x}));
  return Linear(context, {.x = x, .w = head_, .y = out, .name = "head"});
}

}  // namespace atl::worker
