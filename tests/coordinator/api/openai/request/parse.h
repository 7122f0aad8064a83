// Bodies to parse, and what is expected of their parsing.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>

#include "coordinator/api/openai/request/request_parser.h"

namespace atl::coordinator {

inline constexpr ParseLimits kLimits{.vocab_size = 4096};

// The smallest body of a chat, of a completion, with `more` members.
inline std::string With(const std::string& body, const std::string& more) {
  return "{" + body + (more.empty() ? "" : "," + more) + "}";
}
inline std::string ChatBody(const std::string& more) {
  return With(R"("messages":[{"role":"user","content":"hi"}])", more);
}
inline std::string CompletionBody(const std::string& more) {
  return With(R"("prompt":"hi")", more);
}

// The request, or an empty one and a failed test.
template <typename Request>
Request Accepted(std::variant<Request, ApiError> result) {
  if (const auto* error = std::get_if<ApiError>(&result)) {
    ADD_FAILURE() << "refused: " << error->message;
    return {};
  }
  return std::get<Request>(std::move(result));
}

// The error, of which every one is a 400 that names its param; or an empty one and a failed test.
template <typename Request>
ApiError Refused(const std::variant<Request, ApiError>& result) {
  const auto* error = std::get_if<ApiError>(&result);
  if (error == nullptr) {
    ADD_FAILURE() << "accepted";
    return {};
  }
  EXPECT_EQ(error->status, 400);
  EXPECT_EQ(error->type, "invalid_request_error");
  EXPECT_EQ(error->message.back(), '.');
  EXPECT_LT(error->message.size(), 400u);
  EXPECT_EQ(error->message.find("json.exception"), std::string::npos);
  return *error;
}

inline ChatRequest AcceptedChat(const std::string& body) {
  SCOPED_TRACE(body.substr(0, 200));
  return Accepted(ParseChatRequest(body, kLimits));
}
inline ApiError RefusedChat(const std::string& body) {
  SCOPED_TRACE(body.substr(0, 200));
  return Refused(ParseChatRequest(body, kLimits));
}
inline CompletionRequest AcceptedCompletion(const std::string& body) {
  SCOPED_TRACE(body.substr(0, 200));
  return Accepted(ParseCompletionRequest(body, kLimits));
}
inline ApiError RefusedCompletion(const std::string& body) {
  SCOPED_TRACE(body.substr(0, 200));
  return Refused(ParseCompletionRequest(body, kLimits));
}

}  // namespace atl::coordinator
