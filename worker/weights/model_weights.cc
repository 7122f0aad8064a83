#include "worker/weights/model_weights.h"

#include <fmt/format.h>

#include <string>

#include "common/base/status_macros.h"

namespace atl {
namespace {

using kernels::TensorView;

absl::Status LoadAttention(const Checkpoint& files, const ModelConfig& c, const std::string& layer,
                           AttentionWeights& out) {
  const std::string p = layer + "self_attn.";
  const int64_t h = c.hidden_size, q = int64_t{c.num_attention_heads} * c.head_dim,
                kv = int64_t{c.num_kv_heads} * c.head_dim;
  ATOLL_ASSIGN_OR_RETURN(out.q_proj, files.Tensor(p + "q_proj.weight", {2 * q, h}));
  ATOLL_ASSIGN_OR_RETURN(out.k_proj, files.Tensor(p + "k_proj.weight", {kv, h}));
  ATOLL_ASSIGN_OR_RETURN(out.v_proj, files.Tensor(p + "v_proj.weight", {kv, h}));
  ATOLL_ASSIGN_OR_RETURN(out.o_proj, files.Tensor(p + "o_proj.weight", {h, q}));
  ATOLL_ASSIGN_OR_RETURN(out.q_norm, files.Tensor(p + "q_norm.weight", {c.head_dim}));
  ATOLL_ASSIGN_OR_RETURN(out.k_norm, files.Tensor(p + "k_norm.weight", {c.head_dim}));
  return absl::OkStatus();
}

absl::Status LoadDeltaNet(const Checkpoint& files, const ModelConfig& c, const std::string& layer,
                          DeltaNetWeights& out) {
  const std::string p = layer + "linear_attn.";
  const int64_t h = c.hidden_size, channels = c.conv_channels(), heads = c.linear_num_value_heads;
  const int64_t values = heads * c.linear_value_dim;
  ATOLL_ASSIGN_OR_RETURN(out.in_proj_qkv, files.Tensor(p + "in_proj_qkv.weight", {channels, h}));
  ATOLL_ASSIGN_OR_RETURN(out.in_proj_z, files.Tensor(p + "in_proj_z.weight", {values, h}));
  ATOLL_ASSIGN_OR_RETURN(out.in_proj_b, files.Tensor(p + "in_proj_b.weight", {heads, h}));
  ATOLL_ASSIGN_OR_RETURN(out.in_proj_a, files.Tensor(p + "in_proj_a.weight", {heads, h}));
  ATOLL_ASSIGN_OR_RETURN(const TensorView conv,
                         files.Tensor(p + "conv1d.weight", {channels, 1, c.conv_kernel}));
  out.conv = TensorView::Dense(conv.data, conv.dtype, {channels, c.conv_kernel});
  ATOLL_ASSIGN_OR_RETURN(out.a_log, files.Tensor(p + "A_log", {heads}));
  ATOLL_ASSIGN_OR_RETURN(out.dt_bias, files.Tensor(p + "dt_bias", {heads}));
  ATOLL_ASSIGN_OR_RETURN(out.norm, files.Tensor(p + "norm.weight", {c.linear_value_dim}));
  ATOLL_ASSIGN_OR_RETURN(out.out_proj, files.Tensor(p + "out_proj.weight", {h, values}));
  return absl::OkStatus();
}

absl::Status LoadMoe(const Checkpoint& files, const ModelConfig& c, const std::string& layer,
                     MoeWeights& out) {
  const std::string p = layer + "mlp.";
  const int64_t h = c.hidden_size, e = c.num_experts, i = c.moe_intermediate,
                s = c.shared_intermediate;
  ATOLL_ASSIGN_OR_RETURN(out.router, files.Tensor(p + "gate.weight", {e, h}));
  ATOLL_ASSIGN_OR_RETURN(out.gate_up, files.Tensor(p + "experts.gate_up_proj", {e, 2 * i, h}));
  ATOLL_ASSIGN_OR_RETURN(out.down, files.Tensor(p + "experts.down_proj", {e, h, i}));
  ATOLL_ASSIGN_OR_RETURN(out.shared_gate_proj,
                         files.Tensor(p + "shared_expert.gate_proj.weight", {s, h}));
  ATOLL_ASSIGN_OR_RETURN(out.shared_up_proj,
                         files.Tensor(p + "shared_expert.up_proj.weight", {s, h}));
  ATOLL_ASSIGN_OR_RETURN(out.shared_down_proj,
                         files.Tensor(p + "shared_expert.down_proj.weight", {h, s}));
  ATOLL_ASSIGN_OR_RETURN(out.shared_gate, files.Tensor(p + "shared_expert_gate.weight", {1, h}));
  return absl::OkStatus();
}

void AddWhole(std::vector<WeightRange>& ranges, const TensorView& view, const std::string& file) {
  if (view.data == nullptr) return;
  ranges.push_back({static_cast<const std::byte*>(view.data),
                    static_cast<uint64_t>(view.num_elements()) * kernels::SizeOf(view.dtype),
                    file});
}

void AddExperts(std::vector<WeightRange>& ranges, const TensorView& view,
                const std::vector<int>& owned, const std::string& file) {
  const uint64_t bytes = static_cast<uint64_t>(view.strides[0]) * kernels::SizeOf(view.dtype);
  for (int expert : owned) {
    ranges.push_back(
        {static_cast<const std::byte*>(view.data) + static_cast<uint64_t>(expert) * bytes, bytes,
         file});
  }
}

}  // namespace

absl::StatusOr<ModelWeights> LoadModelWeights(const Checkpoint& checkpoint,
                                              const ModelConfig& config) {
  ModelWeights weights;
  const int64_t v = config.vocab_size, h = config.hidden_size;
  ATOLL_ASSIGN_OR_RETURN(weights.embedding, checkpoint.Tensor("embed_tokens.weight", {v, h}));
  ATOLL_ASSIGN_OR_RETURN(weights.final_norm, checkpoint.Tensor("norm.weight", {h}));
  if (checkpoint.Has("lm_head.weight") || !config.tie_word_embeddings) {
    ATOLL_ASSIGN_OR_RETURN(weights.head, checkpoint.Tensor("lm_head.weight", {v, h}));
  } else {
    weights.head = weights.embedding;
  }
  for (int i = 0; i < config.num_layers(); ++i) {
    const std::string prefix = fmt::format("layers.{}.", i);
    LayerWeights layer;
    layer.type = config.layer_types[static_cast<size_t>(i)];
    ATOLL_ASSIGN_OR_RETURN(layer.input_norm,
                           checkpoint.Tensor(prefix + "input_layernorm.weight", {h}));
    ATOLL_ASSIGN_OR_RETURN(layer.post_norm,
                           checkpoint.Tensor(prefix + "post_attention_layernorm.weight", {h}));
    if (layer.type == LayerType::kFullAttention) {
      ATOLL_RETURN_IF_ERROR(LoadAttention(checkpoint, config, prefix, layer.attention));
    } else {
      ATOLL_RETURN_IF_ERROR(LoadDeltaNet(checkpoint, config, prefix, layer.delta_net));
    }
    ATOLL_RETURN_IF_ERROR(LoadMoe(checkpoint, config, prefix, layer.moe));
    weights.layers.push_back(layer);
  }
  return weights;
}

std::vector<WeightRange> OwnedRanges(const Checkpoint& checkpoint, const ModelWeights& weights,
                                     const std::vector<std::vector<int>>& owned) {
  std::vector<WeightRange> ranges;
  AddWhole(ranges, weights.embedding, checkpoint.FileOf("embed_tokens.weight"));
  if (weights.head.data != weights.embedding.data)
    AddWhole(ranges, weights.head, checkpoint.FileOf("lm_head.weight"));
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    const LayerWeights& l = weights.layers[i];
    const std::string file =
        checkpoint.FileOf(fmt::format("layers.{}.mlp.experts.gate_up_proj", i));
    for (const TensorView* view :
         {&l.attention.q_proj, &l.attention.k_proj, &l.attention.v_proj, &l.attention.o_proj,
          &l.delta_net.in_proj_qkv, &l.delta_net.in_proj_z, &l.delta_net.out_proj, &l.moe.router,
          &l.moe.shared_gate_proj, &l.moe.shared_up_proj, &l.moe.shared_down_proj}) {
      AddWhole(ranges, *view, file);
    }
    AddExperts(ranges, l.moe.gate_up, owned[i], file);
    AddExperts(ranges, l.moe.down, owned[i],
               checkpoint.FileOf(fmt::format("layers.{}.mlp.experts.down_proj", i)));
  }
  return ranges;
}

}  // namespace atl
