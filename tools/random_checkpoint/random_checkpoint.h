// Writes a folder that looks like a release of Qwen3.6, with random weights.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"
#include "tools/random_checkpoint/published_config.h"

namespace atl::tools {

enum class MtpLayer : uint8_t { kLeftOut, kWritten };

struct RandomCheckpointOptions {
  std::string folder;  // must not exist, or be empty
  std::string config;  // the text of a config.json, its dtype and quantisation replaced
  ReleaseType type = ReleaseType::kBf16;
  MtpLayer mtp = MtpLayer::kLeftOut;
  uint64_t seed = 0;
  uint64_t shard_bytes_max = 0;
  int num_threads = 1;
  std::string data;  // tests/data: the ranks of the vocabulary and the chat template
};

struct RandomCheckpointSummary {
  size_t num_tensors = 0;
  size_t num_shards = 0;
  uint64_t tensor_bytes = 0;
  bool has_tokenizer = false;  // false: vocab_size has no room for the real vocabulary
};

// The same bytes for the same options, whatever num_threads. config.json is written last: a folder
// without it is incomplete. kInvalidArgument: the config or a folder in use; kResourceExhausted:
// too little space, said before anything is written.
absl::StatusOr<RandomCheckpointSummary> WriteRandomCheckpoint(
    const RandomCheckpointOptions& options);

}  // namespace atl::tools
