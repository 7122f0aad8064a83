// The files that the flags of a question name, loaded.
#pragma once

#include <memory>
#include <string>

#include "common/tokenizer/tokenizer.h"
#include "coordinator/prompt/chat_template.h"
#include "tools/checker/question/flags.h"

namespace atl::tools {

// Of --tokenizer, or of --ranks and --pattern. kInvalidArgument when neither was given; else the
// errors of the files.
absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadChosenTokenizer(const CheckFlags& flags);

// Errors name the file.
absl::StatusOr<std::unique_ptr<coordinator::ChatTemplate>> LoadTemplate(const std::string& file);
// Of --template, or that of Qwen3.6.
absl::StatusOr<std::unique_ptr<coordinator::ChatTemplate>> LoadChosenTemplate(
    const CheckFlags& flags);

}  // namespace atl::tools
