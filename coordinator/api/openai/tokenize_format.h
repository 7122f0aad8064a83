// The answers of POST /tokenize and /detokenize, in vLLM's form.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"

namespace atl::coordinator {

// {"count", "max_model_len", "tokens", "token_strs"}; token_strs is null where not asked for.
std::string TokenizeResponse(std::span<const TokenId> tokens, int64_t max_model_len,
                             const std::optional<std::vector<std::string>>& token_strs);

// {"prompt"}
std::string DetokenizeResponse(std::string_view prompt);

}  // namespace atl::coordinator
