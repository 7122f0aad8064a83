// The tokenizer that --tokenizer, or --ranks and --pattern, name.
#pragma once

#include <memory>

#include "common/tokenizer/tokenizer.h"
#include "tools/check/flags.h"

namespace atl::tools {

// kInvalidArgument when neither was given; else the errors of the files.
absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadChosenTokenizer(const CheckFlags& flags);

}  // namespace atl::tools
