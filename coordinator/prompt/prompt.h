// What a client wrote → the tokens that the model reads. Slow (a million tokens take a moment):
// never on the I/O thread.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "coordinator/output/answer.h"
#include "coordinator/prompt/served_model.h"
#include "coordinator/request/api_error.h"
#include "coordinator/request/api_requests.h"

namespace atl::coordinator {

struct Prompt {
  std::vector<TokenId> ids;
  std::string text;                    // of a completion; empty for chats
  std::optional<AnswerBegins> begins;  // of a chat
};

// **Threads**: any. Errors are 400 and name the field.
// As the chat template renders the messages.
std::variant<Prompt, ApiError> ChatPrompt(const ServedModel& model, const ChatRequest& chat);
// As it stands; literals of added tokens become these.
std::variant<Prompt, ApiError> TextPrompt(const ServedModel& model, std::string text);
std::variant<Prompt, ApiError> IdsPrompt(const ServedModel& model, std::vector<TokenId> ids);

}  // namespace atl::coordinator
