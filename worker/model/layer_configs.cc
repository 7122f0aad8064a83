#include "worker/model/layer_configs.h"

#include <utility>

#include "common/base/status_macros.h"

namespace atl::worker {

AttentionConfig AttentionConfigOf(const ModelConfig& config) {
  return {.hidden = config.hidden_size,
          .num_heads = config.num_attention_heads,
          .num_kv_heads = config.num_kv_heads,
          .head_dim = config.head_dim,
          .rms_norm_eps = config.rms_norm_eps};
}

DeltaNetConfig DeltaNetConfigOf(const ModelConfig& config) {
  return {.hidden = config.hidden_size,
          .shape = {.num_key_heads = config.linear_num_key_heads,
                    .num_value_heads = config.linear_num_value_heads,
                    .key_dim = config.linear_key_dim,
                    .value_dim = config.linear_value_dim},
          .conv_kernel = config.conv_kernel,
          .rms_norm_eps = config.rms_norm_eps};
}

absl::StatusOr<kernels::RotaryCache> RotaryCacheOf(const ModelConfig& config) {
  ATOLL_ASSIGN_OR_RETURN(
      kernels::RotaryFrequencies frequencies,
      kernels::MakeRotaryFrequencies({.rotary_dim = config.rope.rotary_dim,
                                      .theta = config.rope.theta,
                                      .factor = config.rope.factor,
                                      .original_max_positions = config.rope.original_max_positions,
                                      .beta_fast = config.rope.beta_fast,
                                      .beta_slow = config.rope.beta_slow,
                                      .truncate = config.rope.truncate,
                                      .attention_factor = config.rope.attention_factor}));
  return kernels::RotaryCache(std::move(frequencies), config.context_length());
}

MoeConfig MoeConfigOf(const ModelConfig& config, kernels::DType dtype) {
  return {.hidden = config.hidden_size,
          .num_experts = config.num_experts,
          .experts_per_token = config.num_experts_per_token,
          .intermediate = config.moe_intermediate,
          .shared_intermediate = config.shared_intermediate,
          .exchange_dtype = dtype};
}

DispatcherConfig DispatcherConfigOf(const ModelConfig& config, kernels::DType dtype) {
  return {.hidden = config.hidden_size,
          .num_experts = config.num_experts,
          .experts_per_token = config.num_experts_per_token,
          .exchange_dtype = dtype};
}

KvCacheConfig KvCacheConfigOf(const ModelConfig& config, kernels::DType dtype) {
  return {.num_attention_layers = config.num_layers_of(LayerType::kFullAttention),
          .num_kv_heads = config.num_kv_heads,
          .head_dim = config.head_dim,
          .num_linear_layers = config.num_layers_of(LayerType::kLinearAttention),
          .delta = DeltaNetConfigOf(config).shape,
          .conv_channels = config.conv_channels(),
          .conv_kernel = config.conv_kernel,
          .dtype = dtype};
}

}  // namespace atl::worker
