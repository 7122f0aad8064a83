// What the front end knows of the model it serves: its text side, and never a tensor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/config/generation_config.h"
#include "common/tokenizer/tokenizer.h"
#include "coordinator/prompt/chat_template.h"

namespace atl::coordinator {

// kScripted: its workers run a script, so of a folder only the text side counts, and config.json
// none at all.
enum class ModelKind : uint8_t { kCheckpoint, kScripted };

struct ServedModelOptions {
  ModelKind kind = ModelKind::kCheckpoint;
  std::string directory;           // config.json, tokenizer.json, …
  std::string name;                // empty: the directory's last component, or "scripted"
  std::string chat_template_file;  // empty: the directory's own template
  int64_t max_model_len = 0;       // 0: what the configuration allows; of a script 1,048,576
};

// Immutable once loaded. **Threads**: any.
struct ServedModel {
  std::string name;
  int64_t created_unix_s = 0;
  std::unique_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<const ChatTemplate> chat_template;
  std::vector<std::pair<std::string, std::string>> special_tokens;  // {"eos_token", "<|im_end|>"}
  GenerationConfig defaults;
  std::vector<TokenId> stop_ids;
  int32_t vocab_size = 0;
  int32_t max_model_len = 0;
};

// Every error is one sentence that names the file, or the option, and what is wrong with it.
absl::StatusOr<std::unique_ptr<const ServedModel>> LoadServedModel(
    const ServedModelOptions& options);

}  // namespace atl::coordinator
