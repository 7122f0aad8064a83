// A parsed chat or completion → what the engine runs and what the answer needs to know: prompts
// are tokenised, the server's defaults are filled in. Slow (a million tokens take a moment): never
// on the I/O thread.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "coordinator/output/response_stream.h"
#include "coordinator/prompt/served_model.h"
#include "coordinator/request/api_error.h"
#include "coordinator/request/api_requests.h"
#include "coordinator/request/request.h"

namespace atl::coordinator {

// One sequence of the engine and its part of the answer.
struct PreparedChoice {
  Request request;
  std::string echo;  // text that the answer begins with
};

struct PreparedGeneration {
  std::vector<PreparedChoice> choices;  // of the first prompt, then of the second, …
  ResponseOptions response;
  std::vector<TokenId> stop_token_ids;  // the client's own, told as stop_reason
  int64_t prompt_tokens = 0;            // each prompt once, however many choices it has
  bool echo_only = false;               // what is sampled is not shown: max_tokens is 0
  bool stream = false;
  bool include_usage = false;
  bool include_timings = false;
};

using PrepareResult = std::variant<PreparedGeneration, ApiError>;

// `tokens_max` is what the cache holds at most (0: not known yet). A prompt that can never fit, or
// leaves no room for max_tokens, is a 400 that says how many tokens would. **Threads**: any.
PrepareResult PrepareChat(const ServedModel& model, const ChatRequest& chat, int64_t tokens_max);
PrepareResult PrepareCompletion(const ServedModel& model, const CompletionRequest& completion,
                                int64_t tokens_max);

}  // namespace atl::coordinator
