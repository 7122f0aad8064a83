// What `generation_config.json` says: how to sample where a request does not, and when to stop.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace atl {

// The defaults are neutral: the distribution as it is, no stop token.
struct GenerationConfig {
  float temperature = 1.0f;  // 0: greedy; also what `do_sample: false` means
  float top_p = 1.0f;
  int32_t top_k = 0;  // 0: off
  float min_p = 0.0f;
  float repetition_penalty = 1.0f;
  std::vector<int32_t> eos_token_ids;
};

// `text` is the file's content, `file` its name in messages. kInvalidArgument: malformed or out of
// range (names the key).
absl::StatusOr<GenerationConfig> ParseGenerationConfig(const std::string& text,
                                                       const std::string& file);

// Reads DIR/generation_config.json; without the file the neutral defaults.
absl::StatusOr<GenerationConfig> LoadGenerationConfig(const std::string& directory);

}  // namespace atl
