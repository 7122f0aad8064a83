// A model of the family that is written in milliseconds, and folders to write it to.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tools/random_checkpoint/random_checkpoint.h"

namespace atl::tools {

// No size is a multiple of FP8's blocks but for the expert's width.
inline constexpr char kSmallConfig[] = R"({"model_type": "qwen3_5_moe_text", "dtype": "bfloat16",
 "vocab_size": 500, "hidden_size": 160, "num_hidden_layers": 4, "max_position_embeddings": 4096,
 "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "linear_num_key_heads": 2,
 "linear_num_value_heads": 4, "linear_key_head_dim": 32, "linear_value_head_dim": 48,
 "num_experts": 24, "num_experts_per_tok": 4, "moe_intermediate_size": 128,
 "shared_expert_intermediate_size": 96, "rope_parameters": {"rope_type": "default",
 "rope_theta": 10000000, "partial_rotary_factor": 0.25}})";

// A path that does not exist yet, removed with the object.
class NewFolder {
 public:
  NewFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("atoll_tools_" + std::to_string(getpid()) + "_" + std::to_string(++count_))) {
    std::filesystem::remove_all(path_);
  }
  ~NewFolder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }
  std::string Text(const std::string& file) const {
    std::ifstream in(path_ / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  static inline int count_ = 0;
  std::filesystem::path path_;
};

inline RandomCheckpointOptions SmallModel(const std::string& folder, ReleaseType type) {
  return {.folder = folder,
          .config = kSmallConfig,
          .type = type,
          .mtp = MtpLayer::kWritten,
          .seed = 7,
          .shard_bytes_max = 1'000'000,
          .num_threads = 2,
          .data = "tests/data"};
}

}  // namespace atl::tools
