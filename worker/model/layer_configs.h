// What each kind of layer is to know of a model's config.
#pragma once

#include "common/base/status.h"
#include "common/config/model_config.h"
#include "kernels/ops/rope/rotary_cache.h"
#include "kernels/tensor/dtype.h"
#include "worker/kv_cache/kv_cache.h"
#include "worker/layers/attention_layer.h"
#include "worker/layers/delta_net_layer.h"
#include "worker/moe/moe_layer.h"
#include "worker/moe/token_dispatcher.h"

namespace atl::worker {

AttentionConfig AttentionConfigOf(const ModelConfig& config);
DeltaNetConfig DeltaNetConfigOf(const ModelConfig& config);
// kInvalidArgument: frequencies that cannot be made (see MakeRotaryFrequencies).
absl::StatusOr<kernels::RotaryCache> RotaryCacheOf(const ModelConfig& config);

// `dtype` is that of what is kept and sent. The caller fills in the cache's numbers of blocks,
// slots, spares and late rows.
MoeConfig MoeConfigOf(const ModelConfig& config, kernels::DType dtype);
DispatcherConfig DispatcherConfigOf(const ModelConfig& config, kernels::DType dtype);
KvCacheConfig KvCacheConfigOf(const ModelConfig& config, kernels::DType dtype);

}  // namespace atl::worker
