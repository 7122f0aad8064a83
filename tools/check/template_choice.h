// The chat template that --template names, or that of Qwen3.6.
#pragma once

#include <memory>
#include <string>

#include "coordinator/chat/chat_template.h"
#include "tools/check/flags.h"

namespace atl::tools {

// Errors name the file.
absl::StatusOr<std::unique_ptr<coordinator::ChatTemplate>> LoadTemplate(const std::string& file);
absl::StatusOr<std::unique_ptr<coordinator::ChatTemplate>> LoadChosenTemplate(
    const CheckFlags& flags);

}  // namespace atl::tools
