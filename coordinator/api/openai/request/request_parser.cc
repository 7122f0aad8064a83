#include "coordinator/api/openai/request/request_parser.h"

#include <utility>

#include "coordinator/api/openai/request/body_reader.h"
#include "coordinator/api/openai/request/chat_request.h"
#include "coordinator/api/openai/request/completion_request.h"
#include "coordinator/api/openai/request/tokenize_request.h"

namespace atl::coordinator {
namespace {

// `read` makes the request of the body and its fields, and leaves mistakes in these.
template <typename Request, typename Read>
std::variant<Request, ApiError> Parse(std::string_view body, const ParseLimits& limits, Read read) {
  auto tree = ReadBody(body, limits);
  if (const auto* error = std::get_if<ApiError>(&tree)) return *error;
  auto& object = std::get<JsonNode>(tree);
  Fields fields(object);
  Request request = read(&object, &fields);
  if (fields.error()) return *fields.error();
  return request;
}

}  // namespace

std::variant<ChatRequest, ApiError> ParseChatRequest(std::string_view body,
                                                     const ParseLimits& limits) {
  return Parse<ChatRequest>(
      body, limits, [&](JsonNode* tree, Fields* fields) { return ReadChat(limits, tree, fields); });
}

std::variant<CompletionRequest, ApiError> ParseCompletionRequest(std::string_view body,
                                                                 const ParseLimits& limits) {
  return Parse<CompletionRequest>(
      body, limits, [&](JsonNode*, Fields* fields) { return ReadCompletion(limits, fields); });
}

std::variant<TokenizeRequest, ApiError> ParseTokenizeRequest(std::string_view body,
                                                             const ParseLimits& limits) {
  return Parse<TokenizeRequest>(body, limits, [&](JsonNode* tree, Fields* fields) {
    return ReadTokenize(limits, tree, fields);
  });
}

std::variant<DetokenizeRequest, ApiError> ParseDetokenizeRequest(std::string_view body,
                                                                 const ParseLimits& limits) {
  return Parse<DetokenizeRequest>(
      body, limits, [&](JsonNode*, Fields* fields) { return ReadDetokenize(limits, fields); });
}

}  // namespace atl::coordinator
