// One greedy answer of the published checkpoint, as an independent engine recorded it.
#pragma once

#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace atl::tools {

struct GoldenAnswer {
  std::string prompt;               // of the user
  std::vector<TokenId> prompt_ids;  // through chat template and tokenizer
  std::vector<TokenId> answer_ids;
};

// From the folder tests/data. kNotFound: not there; kDataLoss: not what was recorded.
absl::StatusOr<GoldenAnswer> ReadGoldenAnswer(const std::string& data);

}  // namespace atl::tools
