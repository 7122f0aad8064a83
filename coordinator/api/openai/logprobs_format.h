// Log-probabilities in the two forms of OpenAI's API. Numbers have the shortest digits that read
// back to the same float. JSON knows no infinity: what is below −9999, or no number, is told as
// −9999.0, as vLLM does.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "coordinator/output/answer.h"

namespace atl::coordinator {

// {"content": [{"token", "logprob", "bytes", "top_logprobs": […]}]}
std::string ChatLogprobsJson(std::span<const ReportedToken> tokens);

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"}: `text_offset` characters stand
// before the first token. The token itself is always among its top_logprobs; of two tokens that
// look the same the likelier is told, for JSON's keys are unique.
std::string CompletionLogprobsJson(std::span<const ReportedToken> tokens, int64_t text_offset);

}  // namespace atl::coordinator
