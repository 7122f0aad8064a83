#include "common/config/model_config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "common/text/checked_json.h"
#include "common/text/printable.h"

namespace atl {
namespace {

using Json = nlohmann::json;

constexpr JsonLimits kConfigLimits = {
    .depth_max = 16, .values_max = 1 << 16, .token_bytes_max = 1 << 16};
constexpr size_t kEosIdsMax = 64;

// Reads typed values out of one JSON object; the first mistake sticks, so that a table of reads
// needs one check at its end.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string file) : object_(object), file_(std::move(file)) {}

  const absl::Status& status() const { return status_; }
  bool Has(const char* key) const { return object_.contains(key) && !object_[key].is_null(); }
  const Json& At(const char* key) const { return object_[key]; }

  void Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  // An integer in [low, high]; `fallback` where the key is absent, unless it is below `low`: then
  // the key is required.
  int64_t Int(const char* key, int64_t low, int64_t high,
              int64_t fallback = std::numeric_limits<int64_t>::min()) {
    if (!Has(key)) {
      if (fallback < low)
        Fail(InvalidArgument("{}: {} is missing: expected an integer from {} to {}", file_, key,
                             low, high));
      return fallback < low ? low : fallback;
    }
    const Json& value = object_[key];
    const bool fits =
        value.is_number_integer() &&
        !(value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(high));
    if (!fits || value.get<int64_t>() < low || value.get<int64_t>() > high) {
      Fail(InvalidArgument("{}: {} is {}: expected an integer from {} to {}", file_, key,
                           Shorten(value), low, high));
      return low;
    }
    return value.get<int64_t>();
  }

  double Number(const char* key, double low, double high, double fallback) {
    if (!Has(key)) return fallback;
    const Json& value = object_[key];
    if (!value.is_number() || !(value.get<double>() >= low) || !(value.get<double>() <= high)) {
      Fail(InvalidArgument("{}: {} is {}: expected a number from {} to {}", file_, key,
                           Shorten(value), low, high));
      return fallback;
    }
    return value.get<double>();
  }

  bool Bool(const char* key, bool fallback) {
    if (!Has(key)) return fallback;
    if (!object_[key].is_boolean()) {
      Fail(InvalidArgument("{}: {} is {}: expected true or false", file_, key,
                           Shorten(object_[key])));
      return fallback;
    }
    return object_[key].get<bool>();
  }

  std::string String(const char* key, const std::string& fallback) {
    if (!Has(key)) return fallback;
    if (!object_[key].is_string()) {
      Fail(InvalidArgument("{}: {} is {}: expected a string", file_, key, Shorten(object_[key])));
      return fallback;
    }
    return object_[key].get<std::string>();
  }

  static std::string Shorten(const Json& value) {
    std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    return text.size() > 60 ? text.substr(0, 57) + "..." : text;
  }

 private:
  const Json& object_;
  std::string file_;
  absl::Status status_;
};

absl::Status ReadLayerTypes(ObjectReader& in, const std::string& file, ModelConfig& config) {
  const int64_t num_layers = in.Int("num_hidden_layers", 1, 1024);
  const int64_t interval = in.Int("full_attention_interval", 1, 1024, 4);
  ATOLL_RETURN_IF_ERROR(in.status());
  if (!in.Has("layer_types")) {
    for (int64_t i = 0; i < num_layers; ++i) {
      config.layer_types.push_back((i + 1) % interval == 0 ? LayerType::kFullAttention
                                                           : LayerType::kLinearAttention);
    }
    return absl::OkStatus();
  }
  const Json& types = in.At("layer_types");
  if (!types.is_array() || static_cast<int64_t>(types.size()) != num_layers) {
    return InvalidArgument("{}: layer_types must be a list of num_hidden_layers = {} names", file,
                           num_layers);
  }
  for (const Json& type : types) {
    if (type == "linear_attention") {
      config.layer_types.push_back(LayerType::kLinearAttention);
    } else if (type == "full_attention") {
      config.layer_types.push_back(LayerType::kFullAttention);
    } else {
      return Unimplemented(
          "{}: layer_types names {}; Atoll knows linear_attention and full_attention", file,
          ObjectReader::Shorten(type));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadRope(ObjectReader& text, const std::string& file, ModelConfig& config) {
  // Older files: rope_scaling, and theta and the partial factor beside it. If both are there,
  // rope_scaling alone counts.
  const char* key = text.Has("rope_scaling") ? "rope_scaling" : "rope_parameters";
  const Json empty = Json::object();
  if (text.Has(key) && !text.At(key).is_object()) {
    return InvalidArgument("{}: {} is {}: expected an object", file, key,
                           ObjectReader::Shorten(text.At(key)));
  }
  ObjectReader rope(text.Has(key) ? text.At(key) : empty, file + ": " + key);
  RopeConfig& out = config.rope;
  out.theta = rope.Number("rope_theta", 1.0, 1e12, text.Number("rope_theta", 1.0, 1e12, 10000.0));
  const double partial = rope.Number("partial_rotary_factor", 0.0, 1.0,
                                     text.Number("partial_rotary_factor", 0.0, 1.0, 0.25));
  out.rotary_dim = static_cast<int>(config.head_dim * partial);
  if (out.rotary_dim < 2 || out.rotary_dim % 2 != 0) {
    return InvalidArgument(
        "{}: head_dim {} times partial_rotary_factor {} gives {} rotary channels: expected an even "
        "number from 2",
        file, config.head_dim, partial, out.rotary_dim);
  }
  const std::string type = rope.String("rope_type", rope.String("type", "default"));
  if (type == "yarn") {
    out.factor = rope.Number("factor", 1.0, 1024.0, 1.0);
    out.original_max_positions = rope.Int("original_max_position_embeddings", 1, int64_t{1} << 24,
                                          config.max_position_embeddings);
    out.beta_fast = rope.Number("beta_fast", 1e-6, 1e6, 32.0);
    out.beta_slow = rope.Number("beta_slow", 1e-6, 1e6, 1.0);
    out.truncate = rope.Bool("truncate", true);
    out.attention_factor = rope.Number("attention_factor", 1e-6, 1e6, 0.0);
    if (rope.Has("mscale") && rope.Has("mscale_all_dim") && !rope.Has("attention_factor") &&
        out.factor > 1.0) {
      const double log_factor = 0.1 * std::log(out.factor);
      out.attention_factor = (rope.Number("mscale", 0.0, 1e6, 1.0) * log_factor + 1.0) /
                             (rope.Number("mscale_all_dim", 0.0, 1e6, 1.0) * log_factor + 1.0);
    }
  } else if (type != "default") {
    return Unimplemented("{}: {}.rope_type is \"{}\"; Atoll knows default and yarn", file, key,
                         Printable(type));
  }
  ATOLL_RETURN_IF_ERROR(text.status());
  return rope.status();
}

void ReadSizes(ObjectReader& in, ModelConfig& config) {
  config.vocab_size = static_cast<int>(in.Int("vocab_size", 1, 1 << 24));
  config.hidden_size = static_cast<int>(in.Int("hidden_size", 1, 65536));
  config.rms_norm_eps = static_cast<float>(in.Number("rms_norm_eps", 0.0, 1.0, 1e-6));
  config.max_position_embeddings = in.Int("max_position_embeddings", 1, int64_t{1} << 24, 262144);
  config.num_attention_heads = static_cast<int>(in.Int("num_attention_heads", 1, 1024));
  config.num_kv_heads = static_cast<int>(in.Int("num_key_value_heads", 1, 1024));
  config.head_dim = static_cast<int>(in.Int("head_dim", 2, 1024));
  config.linear_num_key_heads = static_cast<int>(in.Int("linear_num_key_heads", 1, 1024));
  config.linear_num_value_heads = static_cast<int>(in.Int("linear_num_value_heads", 1, 1024));
  config.linear_key_dim = static_cast<int>(in.Int("linear_key_head_dim", 1, 1024));
  config.linear_value_dim = static_cast<int>(in.Int("linear_value_head_dim", 1, 1024));
  config.conv_kernel = static_cast<int>(in.Int("linear_conv_kernel_dim", 2, 8, 4));
  config.num_experts = static_cast<int>(in.Int("num_experts", 1, 65535));
  config.num_experts_per_token = static_cast<int>(in.Int("num_experts_per_tok", 1, 64));
  config.moe_intermediate = static_cast<int>(in.Int("moe_intermediate_size", 1, 65536));
  config.shared_intermediate =
      static_cast<int>(in.Int("shared_expert_intermediate_size", 1, 65536));
}

absl::Status CheckConsistency(const ModelConfig& c, const std::string& file) {
  if (c.num_attention_heads % c.num_kv_heads != 0) {
    return InvalidArgument(
        "{}: num_attention_heads {} is no multiple of num_key_value_heads {}; correct one", file,
        c.num_attention_heads, c.num_kv_heads);
  }
  if (c.linear_num_value_heads % c.linear_num_key_heads != 0) {
    return InvalidArgument(
        "{}: linear_num_value_heads {} is no multiple of linear_num_key_heads {}; correct one",
        file, c.linear_num_value_heads, c.linear_num_key_heads);
  }
  if (c.num_experts_per_token > c.num_experts) {
    return InvalidArgument("{}: num_experts_per_tok {} is more than num_experts {}; correct one",
                           file, c.num_experts_per_token, c.num_experts);
  }
  return absl::OkStatus();
}

absl::Status CheckFeatures(ObjectReader& in, const std::string& file) {
  const std::string act = in.String("hidden_act", "silu");
  if (act != "silu") {
    return Unimplemented("{}: hidden_act is \"{}\"; Atoll knows silu", file, Printable(act));
  }
  if (in.Bool("attention_bias", false))
    return Unimplemented("{}: attention_bias true is not supported; only false is", file);
  if (!in.Bool("attn_output_gate", true))
    return Unimplemented("{}: attn_output_gate false is not supported; only true is", file);
  if (in.Has("mlp_only_layers") &&
      !(in.At("mlp_only_layers").is_array() && in.At("mlp_only_layers").empty())) {
    return Unimplemented("{}: mlp_only_layers is not empty; Atoll expects experts in every layer",
                         file);
  }
  return in.status();
}

// docs/model.md 2.2: the one quantised form that Atoll reads.
absl::Status ReadQuantisation(const Json& object, const std::string& file, ModelConfig& config) {
  if (!object.contains("quantization_config") || object["quantization_config"].is_null())
    return absl::OkStatus();
  const std::string where = file + ": quantization_config";
  const Json& quantisation = object["quantization_config"];
  if (!quantisation.is_object())
    return InvalidArgument("{} is not an object; copy the file again", where);
  ObjectReader in(quantisation, where);
  const std::string method = in.String("quant_method", ""), format = in.String("fmt", "e4m3"),
                    scheme = in.String("activation_scheme", "dynamic");
  ATOLL_RETURN_IF_ERROR(in.status());
  const Json block = in.Has("weight_block_size") ? in.At("weight_block_size") : Json();
  if (method != "fp8" || format != "e4m3" || scheme != "dynamic" || block != Json({128, 128})) {
    return Unimplemented(
        "{}: quant_method \"{}\", fmt \"{}\", activation_scheme \"{}\", weight_block_size {}; "
        "Atoll reads fp8, e4m3, dynamic, [128,128] and unquantised releases",
        where, Printable(method, 40), Printable(format, 40), Printable(scheme, 40),
        ObjectReader::Shorten(block));
  }
  config.quantisation = Quantisation::kFp8Block128;
  if (!in.Has("modules_to_not_convert")) return absl::OkStatus();
  const Json& modules = in.At("modules_to_not_convert");
  if (!modules.is_array())
    return InvalidArgument("{}.modules_to_not_convert is not a list; copy the file again", where);
  for (const Json& module : modules) {
    if (!module.is_string())
      return InvalidArgument("{}.modules_to_not_convert holds {}: expected names of modules", where,
                             ObjectReader::Shorten(module));
    config.modules_to_not_convert.push_back(module.get<std::string>());
  }
  return absl::OkStatus();
}

absl::Status ReadEos(const Json& text, const std::string& file, ModelConfig& config) {
  if (!text.contains("eos_token_id") || text["eos_token_id"].is_null()) return absl::OkStatus();
  Json ids = text["eos_token_id"];
  if (!ids.is_array()) ids = Json::array({ids});
  for (const Json& id : ids) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 ||
        id.get<int64_t>() >= config.vocab_size) {
      return InvalidArgument("{}: eos_token_id {} is no id of a vocabulary of {}; correct one",
                             file, ObjectReader::Shorten(id), config.vocab_size);
    }
    if (config.eos_token_ids.size() == kEosIdsMax) {
      return InvalidArgument("{}: eos_token_id is a list of more than {} ids; shorten it", file,
                             kEosIdsMax);
    }
    config.eos_token_ids.push_back(id.get<int32_t>());
  }
  return absl::OkStatus();
}

}  // namespace

int ModelConfig::num_layers_of(LayerType type) const {
  int count = 0;
  for (LayerType layer : layer_types) count += layer == type ? 1 : 0;
  return count;
}

int64_t ModelConfig::context_length() const {
  if (rope.factor <= 1.0) return max_position_embeddings;
  return std::max(
      max_position_embeddings,
      static_cast<int64_t>(static_cast<double>(rope.original_max_positions) * rope.factor));
}

absl::StatusOr<ModelConfig> ParseModelConfig(const std::string& text, const std::string& file) {
  const absl::StatusOr<Json> parsed = ParseJsonObject(text, kConfigLimits);
  if (!parsed.ok()) return Annotate(parsed.status(), file);
  const Json& top = *parsed;
  const std::string type = top.contains("model_type") && top["model_type"].is_string()
                               ? top["model_type"].get<std::string>()
                               : "";
  if (type != "qwen3_5_moe" && type != "qwen3_5_moe_text") {
    return Unimplemented("{}: model_type is \"{}\"; Atoll serves qwen3_5_moe and qwen3_5_moe_text",
                         file, Printable(type));
  }
  const bool nested = top.contains("text_config");
  if (nested && !top["text_config"].is_object())
    return InvalidArgument("{}: text_config is not an object; copy the file again", file);
  const Json& body = nested ? top["text_config"] : top;
  ObjectReader in(body, nested ? file + ": text_config" : file);

  ModelConfig config;
  for (const Json* object : {&top, &body}) {
    ATOLL_RETURN_IF_ERROR(ReadQuantisation(*object, file, config));
  }
  ReadSizes(in, config);
  ATOLL_RETURN_IF_ERROR(in.status());
  ATOLL_RETURN_IF_ERROR(ReadLayerTypes(in, file, config));
  ATOLL_RETURN_IF_ERROR(ReadRope(in, file, config));
  ATOLL_RETURN_IF_ERROR(CheckFeatures(in, file));
  ATOLL_RETURN_IF_ERROR(CheckConsistency(config, file));
  ATOLL_RETURN_IF_ERROR(ReadEos(body, file, config));
  // The top-level flag ties the head of the multimodal class, the one beside the sizes that of the
  // text class (docs/model.md 1.1).
  const bool text_class =
      !nested ||
      (top.contains("architectures") && top["architectures"].is_array() &&
       !top["architectures"].empty() && top["architectures"][0] == "Qwen3_5MoeForCausalLM");
  ObjectReader outer(text_class ? body : top, file);
  config.tie_word_embeddings = outer.Bool("tie_word_embeddings", false);
  ATOLL_RETURN_IF_ERROR(outer.status());
  return config;
}

absl::StatusOr<ModelConfig> LoadModelConfig(const std::string& directory) {
  const std::string path = directory + "/config.json";
  ATOLL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kConfigBytesMax));
  return ParseModelConfig(text, path);
}

}  // namespace atl
