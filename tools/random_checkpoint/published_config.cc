#include "tools/random_checkpoint/published_config.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "worker/weights/tensor_names.h"

namespace atl::tools {
namespace {

using Json = nlohmann::ordered_json;
using Kind = worker::ExpectedTensor::Kind;

constexpr int kFullAttentionInterval = 4;
constexpr int kEndOfTextId = 248044;
constexpr int kImEndId = 248046;

Json TextConfig(int num_layers) {
  Json layer_types = Json::array();
  for (int i = 0; i < num_layers; ++i) {
    layer_types.push_back((i + 1) % kFullAttentionInterval == 0 ? "full_attention"
                                                                : "linear_attention");
  }
  return {{"model_type", "qwen3_5_moe_text"},
          {"dtype", "bfloat16"},
          {"vocab_size", 248320},
          {"hidden_size", 2048},
          {"num_hidden_layers", num_layers},
          {"hidden_act", "silu"},
          {"rms_norm_eps", 1e-6},
          {"max_position_embeddings", 262144},
          {"tie_word_embeddings", false},
          {"full_attention_interval", kFullAttentionInterval},
          {"layer_types", layer_types},
          {"num_attention_heads", 16},
          {"num_key_value_heads", 2},
          {"head_dim", 256},
          {"attn_output_gate", true},
          {"attention_bias", false},
          {"attention_dropout", 0.0},
          {"linear_num_key_heads", 16},
          {"linear_num_value_heads", 32},
          {"linear_key_head_dim", 128},
          {"linear_value_head_dim", 128},
          {"linear_conv_kernel_dim", 4},
          {"mamba_ssm_dtype", "float32"},
          {"num_experts", 256},
          {"num_experts_per_tok", 8},
          {"moe_intermediate_size", 512},
          {"shared_expert_intermediate_size", 512},
          {"mtp_num_hidden_layers", 1},
          {"mtp_use_dedicated_embeddings", false},
          {"rope_parameters",
           {{"rope_type", "default"},
            {"rope_theta", 10000000},
            {"partial_rotary_factor", 0.25},
            {"mrope_section", {11, 11, 10}},
            {"mrope_interleaved", true}}},
          {"eos_token_id", kEndOfTextId}};
}

// "model.language_model.layers.0.mlp.gate" of what an FP8 release keeps; empty for norms and
// vectors, which are no modules that could be converted.
std::string KeptModule(const worker::ExpectedTensor& tensor) {
  constexpr std::string_view kSuffix = ".weight", kConvolution = "conv1d.weight";
  const bool is_kept = tensor.kind == Kind::kMatrix || tensor.name.ends_with(kConvolution);
  if (!is_kept || !tensor.name.ends_with(kSuffix)) return "";
  return tensor.name.substr(0, tensor.name.size() - kSuffix.size());
}

}  // namespace

std::string PublishedConfig(int num_layers) {
  const Json config = {{"architectures", {"Qwen3_5MoeForCausalLM"}},
                       {"model_type", "qwen3_5_moe"},
                       {"text_config", TextConfig(num_layers)},
                       {"image_token_id", 248056},
                       {"video_token_id", 248057},
                       {"vision_start_token_id", 248053},
                       {"vision_end_token_id", 248054},
                       {"tie_word_embeddings", false}};
  return config.dump(1) + "\n";
}

std::string PublishedGenerationConfig() {
  const Json config = {{"eos_token_id", {kImEndId, kEndOfTextId}},
                       {"bos_token_id", kEndOfTextId},
                       {"pad_token_id", kEndOfTextId},
                       {"do_sample", true},
                       {"temperature", 1.0},
                       {"top_p", 0.95},
                       {"top_k", 20}};
  return config.dump(1) + "\n";
}

absl::StatusOr<std::string> WithReleaseType(const std::string& config, ReleaseType type,
                                            const std::vector<worker::ExpectedTensor>& tensors) {
  Json changed = Json::parse(config, nullptr, /*allow_exceptions=*/false);
  if (!changed.is_object()) return InvalidArgument("config.json is no JSON object; correct it");
  Json& text = changed.contains("text_config") ? changed["text_config"] : changed;
  text["dtype"] = type == ReleaseType::kF32 ? "float32" : "bfloat16";
  changed.erase("quantization_config");
  if (type == ReleaseType::kFp8) {
    Json kept = Json::array();
    for (const worker::ExpectedTensor& tensor : tensors) {
      if (std::string module = KeptModule(tensor); !module.empty()) kept.push_back(module);
    }
    changed["quantization_config"] = {{"quant_method", "fp8"},
                                      {"fmt", "e4m3"},
                                      {"activation_scheme", "dynamic"},
                                      {"weight_block_size", {128, 128}},
                                      {"modules_to_not_convert", kept}};
  }
  return changed.dump(1) + "\n";
}

}  // namespace atl::tools
