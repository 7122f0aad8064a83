#include "worker/weights/model_weights.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "common/base/status_macros.h"

namespace atl::worker {
namespace {

using kernels::ExpertWeights;
using kernels::TensorView;
using kernels::WeightView;

absl::Status LoadAttention(WeightSource& files, const ModelConfig& c, const std::string& layer,
                           AttentionWeights& out) {
  const std::string p = layer + "self_attn.";
  const int64_t h = c.hidden_size, q = int64_t{c.num_attention_heads} * c.head_dim,
                kv = int64_t{c.num_kv_heads} * c.head_dim;
  ATOLL_ASSIGN_OR_RETURN(out.q_proj, files.Matrix(p + "q_proj.weight", 2 * q, h));
  ATOLL_ASSIGN_OR_RETURN(out.k_proj, files.Matrix(p + "k_proj.weight", kv, h));
  ATOLL_ASSIGN_OR_RETURN(out.v_proj, files.Matrix(p + "v_proj.weight", kv, h));
  ATOLL_ASSIGN_OR_RETURN(out.o_proj, files.Matrix(p + "o_proj.weight", h, q));
  ATOLL_ASSIGN_OR_RETURN(out.q_norm, files.Tensor(p + "q_norm.weight", {c.head_dim}));
  ATOLL_ASSIGN_OR_RETURN(out.k_norm, files.Tensor(p + "k_norm.weight", {c.head_dim}));
  return absl::OkStatus();
}

absl::Status LoadDeltaNet(WeightSource& files, const ModelConfig& c, const std::string& layer,
                          DeltaNetWeights& out) {
  const std::string p = layer + "linear_attn.";
  const int64_t h = c.hidden_size, channels = c.conv_channels(), heads = c.linear_num_value_heads;
  const int64_t values = heads * c.linear_value_dim;
  ATOLL_ASSIGN_OR_RETURN(out.in_proj_qkv, files.Matrix(p + "in_proj_qkv.weight", channels, h));
  ATOLL_ASSIGN_OR_RETURN(out.in_proj_z, files.Matrix(p + "in_proj_z.weight", values, h));
  ATOLL_ASSIGN_OR_RETURN(out.in_proj_b, files.Matrix(p + "in_proj_b.weight", heads, h));
  ATOLL_ASSIGN_OR_RETURN(out.in_proj_a, files.Matrix(p + "in_proj_a.weight", heads, h));
  ATOLL_ASSIGN_OR_RETURN(const TensorView conv,
                         files.Tensor(p + "conv1d.weight", {channels, 1, c.conv_kernel}));
  out.conv = TensorView::Dense(conv.data, conv.dtype, {channels, c.conv_kernel});
  ATOLL_ASSIGN_OR_RETURN(out.a_log, files.Tensor(p + "A_log", {heads}));
  ATOLL_ASSIGN_OR_RETURN(out.dt_bias, files.Tensor(p + "dt_bias", {heads}));
  ATOLL_ASSIGN_OR_RETURN(out.norm, files.Tensor(p + "norm.weight", {c.linear_value_dim}));
  ATOLL_ASSIGN_OR_RETURN(out.out_proj, files.Matrix(p + "out_proj.weight", h, values));
  return absl::OkStatus();
}

absl::Status LoadMoe(WeightSource& files, const ModelConfig& c, const std::string& layer,
                     MoeWeights& out) {
  const std::string p = layer + "mlp.", shared = p + "shared_expert.";
  const int64_t h = c.hidden_size, s = c.shared_intermediate;
  ATOLL_ASSIGN_OR_RETURN(out.router, files.Matrix(p + "gate.weight", c.num_experts, h));
  ATOLL_ASSIGN_OR_RETURN(out.experts,
                         files.Experts(p + "experts.", {.num_experts = c.num_experts,
                                                        .intermediate = c.moe_intermediate,
                                                        .hidden = h}));
  ATOLL_ASSIGN_OR_RETURN(out.shared_gate_proj, files.Matrix(shared + "gate_proj.weight", s, h));
  ATOLL_ASSIGN_OR_RETURN(out.shared_up_proj, files.Matrix(shared + "up_proj.weight", s, h));
  ATOLL_ASSIGN_OR_RETURN(out.shared_down_proj, files.Matrix(shared + "down_proj.weight", h, s));
  ATOLL_ASSIGN_OR_RETURN(out.shared_gate, files.Matrix(p + "shared_expert_gate.weight", 1, h));
  return absl::OkStatus();
}

// `prefix` ends in a dot: "layers.3.".
absl::StatusOr<LayerWeights> LoadLayer(WeightSource& files, const ModelConfig& config,
                                       const std::string& prefix, LayerType type) {
  const int64_t h = config.hidden_size;
  LayerWeights layer;
  layer.type = type;
  ATOLL_ASSIGN_OR_RETURN(layer.input_norm, files.Tensor(prefix + "input_layernorm.weight", {h}));
  ATOLL_ASSIGN_OR_RETURN(layer.post_norm,
                         files.Tensor(prefix + "post_attention_layernorm.weight", {h}));
  ATOLL_RETURN_IF_ERROR(type == LayerType::kFullAttention
                            ? LoadAttention(files, config, prefix, layer.attention)
                            : LoadDeltaNet(files, config, prefix, layer.delta_net));
  ATOLL_RETURN_IF_ERROR(LoadMoe(files, config, prefix, layer.moe));
  return layer;
}

class RangeList {
 public:
  explicit RangeList(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  void Add(const WeightView& weight) {
    if (weight.panels != nullptr) {
      const int64_t elements = kernels::PanelsElements(weight.rows(), weight.columns());
      ranges_.push_back({reinterpret_cast<const std::byte*>(weight.panels),
                         static_cast<uint64_t>(elements) * sizeof(kernels::Bf16),
                         "packed weights"});
      return;
    }
    AddView(weight.values);
    AddView(weight.scales);
  }
  std::vector<WeightRange> Take() { return std::move(ranges_); }

 private:
  void AddView(const TensorView& view) {
    if (view.data == nullptr) return;
    ranges_.push_back({static_cast<const std::byte*>(view.data),
                       static_cast<uint64_t>(view.num_elements()) * kernels::SizeOf(view.dtype),
                       checkpoint_.FileAt(view.data)});
  }

  const Checkpoint& checkpoint_;
  std::vector<WeightRange> ranges_;
};

}  // namespace

absl::StatusOr<ModelWeights> LoadModelWeights(WeightSource& source, const ModelConfig& config) {
  ModelWeights weights;
  const int64_t v = config.vocab_size, h = config.hidden_size;
  ATOLL_ASSIGN_OR_RETURN(const WeightView embedding, source.Matrix("embed_tokens.weight", v, h));
  if (embedding.values.dtype == kernels::DType::kF8E4m3) {
    return Unimplemented(
        "tensor embed_tokens.weight: an embedding in F8_E4M3 is not supported; releases keep it "
        "BF16");
  }
  weights.embedding = embedding.values;
  ATOLL_ASSIGN_OR_RETURN(weights.final_norm, source.Tensor("norm.weight", {h}));
  if (source.Has("lm_head.weight") || !config.tie_word_embeddings) {
    ATOLL_ASSIGN_OR_RETURN(weights.head, source.Matrix("lm_head.weight", v, h));
  } else {
    weights.head = embedding;
  }
  for (int i = 0; i < config.num_layers(); ++i) {
    ATOLL_ASSIGN_OR_RETURN(LayerWeights layer,
                           LoadLayer(source, config, fmt::format("layers.{}.", i),
                                     config.layer_types[static_cast<size_t>(i)]));
    weights.layers.push_back(std::move(layer));
  }
  return weights;
}

absl::StatusOr<ModelWeights> LoadModelWeights(Checkpoint& checkpoint, const ModelConfig& config) {
  ATOLL_ASSIGN_OR_RETURN(ModelWeights weights,
                         LoadModelWeights(static_cast<WeightSource&>(checkpoint), config));
  ATOLL_RETURN_IF_ERROR(checkpoint.CheckAllUsed());
  return weights;
}

absl::StatusOr<MtpWeights> LoadMtpWeights(WeightSource& source, const ModelConfig& config) {
  const int64_t h = config.hidden_size;
  MtpWeights mtp;
  ATOLL_ASSIGN_OR_RETURN(mtp.fc, source.Matrix("mtp.fc.weight", h, 2 * h));
  ATOLL_ASSIGN_OR_RETURN(mtp.embedding_norm,
                         source.Tensor("mtp.pre_fc_norm_embedding.weight", {h}));
  ATOLL_ASSIGN_OR_RETURN(mtp.hidden_norm, source.Tensor("mtp.pre_fc_norm_hidden.weight", {h}));
  ATOLL_ASSIGN_OR_RETURN(mtp.final_norm, source.Tensor("mtp.norm.weight", {h}));
  ATOLL_ASSIGN_OR_RETURN(mtp.layer,
                         LoadLayer(source, config, "mtp.layers.0.", LayerType::kFullAttention));
  return mtp;
}

std::vector<WeightRange> OwnedRanges(const Checkpoint& checkpoint, const ModelWeights& weights,
                                     const std::vector<std::vector<int>>& owned) {
  RangeList ranges(checkpoint);
  ranges.Add(weights.embedding);
  if (weights.head.panels != nullptr || weights.head.values.data != weights.embedding.data)
    ranges.Add(weights.head);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    const LayerWeights& l = weights.layers[i];
    for (const WeightView* matrix :
         {&l.attention.q_proj, &l.attention.k_proj, &l.attention.v_proj, &l.attention.o_proj,
          &l.delta_net.in_proj_qkv, &l.delta_net.in_proj_z, &l.delta_net.out_proj, &l.moe.router,
          &l.moe.shared_gate_proj, &l.moe.shared_up_proj, &l.moe.shared_down_proj}) {
      ranges.Add(*matrix);
    }
    for (const int expert : owned[i]) {
      const ExpertWeights& e = l.moe.experts[static_cast<size_t>(expert)];
      for (const WeightView* matrix : {&e.gate, &e.up, &e.down}) ranges.Add(*matrix);
    }
  }
  return ranges.Take();
}

}  // namespace atl::worker
