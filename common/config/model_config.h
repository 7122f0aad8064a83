// What `config.json` says of a qwen3_5_moe checkpoint, checked: every number is in range and none
// contradicts another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace atl {

// A larger config.json is refused unread.
inline constexpr size_t kConfigBytesMax = size_t{4} << 20;

enum class LayerType : uint8_t { kLinearAttention, kFullAttention };

// Rotary embedding. factor 1: none of YaRN.
struct RopeConfig {
  double theta = 10000.0;
  int rotary_dim = 0;  // channels that rotate, even
  double factor = 1.0;
  int64_t original_max_positions = 0;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  bool truncate = true;
  double attention_factor = 0.0;  // 0: 0.1 · ln(factor) + 1
};

// How the linear layers of a release are stored. kFp8Block128: F8_E4M3 with a scale for each block
// of 128 × 128.
enum class Quantisation : uint8_t { kNone, kFp8Block128 };

struct ModelConfig {
  int vocab_size = 0;
  int hidden_size = 0;
  std::vector<LayerType> layer_types;
  float rms_norm_eps = 1e-6f;
  int64_t max_position_embeddings = 0;
  bool tie_word_embeddings = false;

  int num_attention_heads = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
  RopeConfig rope;

  int linear_num_key_heads = 0;
  int linear_num_value_heads = 0;
  int linear_key_dim = 0;
  int linear_value_dim = 0;
  int conv_kernel = 0;

  int num_experts = 0;
  int num_experts_per_token = 0;
  int moe_intermediate = 0;
  int shared_intermediate = 0;

  Quantisation quantisation = Quantisation::kNone;
  std::vector<std::string> modules_to_not_convert;  // of a quantised release, as the file has them

  std::vector<int32_t> eos_token_ids;  // may be empty: generation_config.json has them

  int num_layers() const { return static_cast<int>(layer_types.size()); }
  int num_layers_of(LayerType type) const;
  // Channels of the convolution: q, k and v of a linear layer.
  int conv_channels() const {
    return 2 * linear_num_key_heads * linear_key_dim + linear_num_value_heads * linear_value_dim;
  }
  // The longest sequence that the positions allow: YaRN's stretched length where it is configured.
  int64_t context_length() const;
};

// `text` is the file's content, `file` its name in messages. kInvalidArgument: malformed, out of
// range or contradictory (names the key); kUnimplemented: a model or feature that Atoll refuses by
// name.
absl::StatusOr<ModelConfig> ParseModelConfig(const std::string& text, const std::string& file);

// Reads DIR/config.json. kNotFound: no such file.
absl::StatusOr<ModelConfig> LoadModelConfig(const std::string& directory);

}  // namespace atl
