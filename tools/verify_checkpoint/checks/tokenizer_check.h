// The tokenizer and the chat template of a checkpoint.
#pragma once

#include <memory>
#include <string>

#include "common/config/model_config.h"
#include "common/tokenizer/tokenizer.h"
#include "tools/verify_checkpoint/evidence/golden_answer.h"
#include "tools/verify_checkpoint/evidence/report.h"

namespace atl::tools {

// Reports what cannot be loaded, ids beyond the model's rows, and, where the vocabulary has the
// published size, a golden prompt that gets other ids. Null: no usable tokenizer. `data` is
// tests/data.
std::unique_ptr<Tokenizer> CheckTokenizer(const std::string& folder, const std::string& data,
                                          const ModelConfig& config, const GoldenAnswer& golden,
                                          Report& report);

}  // namespace atl::tools
