#include "coordinator/api/openai/openai.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <vector>

#include "common/text/json_text.h"
#include "common/tokenizer/detokenizer.h"
#include "coordinator/api/openai/request/request_parser.h"
#include "coordinator/api/openai/tokenize_format.h"
#include "coordinator/prompt/prompt.h"

namespace atl::coordinator {
namespace {

constexpr std::string_view kModelsPath = "/v1/models/";

ParseLimits LimitsOf(const ServedModel& model) { return {.vocab_size = model.vocab_size}; }

// What `next` makes of the request that `parsed` holds, or its error.
template <typename Request, typename Next>
auto Then(const std::variant<Request, ApiError>& parsed, Next next)
    -> decltype(next(std::get<Request>(parsed))) {
  if (const auto* error = std::get_if<ApiError>(&parsed)) return *error;
  return next(std::get<Request>(parsed));
}

std::variant<std::string, ApiError> Tokenize(const ServedModel& model,
                                             const TokenizeRequest& request) {
  if (!request.model.empty() && request.model != model.name) return ModelNotFound(request.model);
  const auto made =
      request.prompt ? TextPrompt(model, *request.prompt) : ChatPrompt(model, request.chat);
  if (const auto* error = std::get_if<ApiError>(&made)) return *error;
  const std::vector<TokenId>& ids = std::get<Prompt>(made).ids;
  std::optional<std::vector<std::string>> texts;
  if (request.return_token_strs) {
    texts.emplace();
    for (const TokenId id : ids) texts->emplace_back(model.tokenizer->TokenBytes(id));
  }
  return TokenizeResponse(ids, model.max_model_len, texts);
}

std::variant<std::string, ApiError> Detokenize(const ServedModel& model,
                                               const DetokenizeRequest& request) {
  if (!request.model.empty() && request.model != model.name) return ModelNotFound(request.model);
  return DetokenizeResponse(Decode(*model.tokenizer, request.tokens, SkipSpecial::kShow));
}

std::string ModelJson(const ServedModel& model) {
  return fmt::format(
      R"({{"id":{},"object":"model","created":{},"owned_by":"atoll","max_model_len":{}}})",
      JsonString(model.name), model.created_unix_s, model.max_model_len);
}

}  // namespace

PrepareResult PrepareChatBody(const ServedModel& model, const std::string& body,
                              int64_t tokens_max) {
  return Then(ParseChatRequest(body, LimitsOf(model)),
              [&](const ChatRequest& chat) { return PrepareChat(model, chat, tokens_max); });
}

PrepareResult PrepareCompletionBody(const ServedModel& model, const std::string& body,
                                    int64_t tokens_max) {
  return Then(ParseCompletionRequest(body, LimitsOf(model)),
              [&](const CompletionRequest& completion) {
                return PrepareCompletion(model, completion, tokens_max);
              });
}

std::variant<std::string, ApiError> TokenizeBody(const ServedModel& model,
                                                 const std::string& body) {
  return Then(ParseTokenizeRequest(body, LimitsOf(model)),
              [&](const TokenizeRequest& request) { return Tokenize(model, request); });
}

std::variant<std::string, ApiError> DetokenizeBody(const ServedModel& model,
                                                   const std::string& body) {
  return Then(ParseDetokenizeRequest(body, LimitsOf(model)),
              [&](const DetokenizeRequest& request) { return Detokenize(model, request); });
}

HttpResponse ModelList(const ServedModel& model) {
  return {.body = fmt::format(R"({{"object":"list","data":[{}]}})", ModelJson(model))};
}

HttpResponse OneModel(const ServedModel& model, const std::string& path) {
  const std::string name = path.substr(kModelsPath.size());
  // Not one of the errors that say when to try again.
  if (name != model.name) return ErrorResponse(ModelNotFound(name), absl::ZeroDuration());
  return {.body = ModelJson(model)};
}

}  // namespace atl::coordinator
