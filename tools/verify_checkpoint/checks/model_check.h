// Runs the model: the golden answer, the perplexity of a text, how routing spreads.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/config/model_config.h"
#include "common/tokenizer/tokenizer.h"
#include "tools/verify_checkpoint/checks/tensor_check.h"
#include "tools/verify_checkpoint/evidence/golden_answer.h"
#include "tools/verify_checkpoint/evidence/report.h"

namespace atl::tools {

struct ModelCheck {
  std::string folder;
  std::string data;  // tests/data, for the text
  const ModelConfig* config = nullptr;
  const Tokenizer* tokenizer = nullptr;  // null: ids are drawn at random instead
  const GoldenAnswer* golden = nullptr;
  Release release = Release::kAnother;  // of the published one more is expected
  int num_threads = 1;
};

// An error: the model could not be loaded or run.
absl::Status CheckModel(const ModelCheck& check, Report& report);

}  // namespace atl::tools
