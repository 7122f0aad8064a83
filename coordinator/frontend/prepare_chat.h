// A parsed chat request → what the engine runs and what the answer needs to know: the prompt is
// rendered and tokenised, the server's defaults are filled in. Slow (a million tokens take a
// moment): never on the I/O thread.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "coordinator/chat/output_parser.h"
#include "coordinator/openai/api_error.h"
#include "coordinator/openai/request_parser.h"
#include "coordinator/frontend/served_model.h"
#include "coordinator/request/request.h"

namespace atl {

struct PreparedChat {
  Request request;
  std::vector<std::string> stop;
  AnswerBegins begins = AnswerBegins::kInContent;
  bool stream = false;
  bool include_usage = false;
};

// `tokens_max` is what the cache holds at most (0: not known yet); it bounds the default of
// max_tokens only. **Threads**: any.
std::variant<PreparedChat, ApiError> PrepareChat(const ServedModel& model, const ChatRequest& chat,
                                                 int64_t tokens_max);

}  // namespace atl
