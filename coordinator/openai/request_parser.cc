#include "coordinator/openai/request_parser.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "coordinator/openai/body_reader.h"
#include "coordinator/openai/chat_request.h"
#include "coordinator/openai/completion_request.h"
#include "coordinator/openai/tokenize_request.h"

namespace atl::coordinator {
namespace {

// `read` makes the request of the body's fields and leaves mistakes in them.
template <typename Request, typename Read>
std::variant<Request, ApiError> Parse(std::string_view body, const ParseLimits& limits, Read read) {
  const auto json = ReadBody(body, limits);
  if (const auto* error = std::get_if<ApiError>(&json)) return *error;
  Fields fields(std::get<nlohmann::json>(json));
  Request request = read(&fields);
  if (fields.error()) return *fields.error();
  return request;
}

}  // namespace

std::variant<ChatRequest, ApiError> ParseChatRequest(std::string_view body,
                                                     const ParseLimits& limits) {
  return Parse<ChatRequest>(body, limits,
                            [&](Fields* fields) { return ReadChat(limits, body, fields); });
}

std::variant<CompletionRequest, ApiError> ParseCompletionRequest(std::string_view body,
                                                                 const ParseLimits& limits) {
  return Parse<CompletionRequest>(body, limits,
                                  [&](Fields* fields) { return ReadCompletion(limits, fields); });
}

std::variant<TokenizeRequest, ApiError> ParseTokenizeRequest(std::string_view body,
                                                             const ParseLimits& limits) {
  return Parse<TokenizeRequest>(body, limits,
                                [&](Fields* fields) { return ReadTokenize(limits, body, fields); });
}

std::variant<DetokenizeRequest, ApiError> ParseDetokenizeRequest(std::string_view body,
                                                                 const ParseLimits& limits) {
  return Parse<DetokenizeRequest>(body, limits,
                                  [&](Fields* fields) { return ReadDetokenize(limits, fields); });
}

}  // namespace atl::coordinator
