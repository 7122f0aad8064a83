// One event of a generation stream: the JSON of a chunk, read without making a tree of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace atl::tools {

struct ChoiceDelta {
  int64_t index = 0;
  std::string role = {};
  std::string reasoning = {};
  std::string content = {};  // `text` of a completion
  std::string finish_reason = {};
};

struct UsageCounts {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t total_tokens = 0;
};

struct StreamChunk {
  std::vector<ChoiceDelta> choices;
  std::optional<UsageCounts> usage;
  std::optional<std::string> error;  // its message, where the event tells of one
};

// kDataLoss: no JSON object, names the byte; more than 64 levels; more than 1,024 choices.
absl::StatusOr<StreamChunk> ParseStreamChunk(std::string_view json);

}  // namespace atl::tools
