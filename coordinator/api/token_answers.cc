#include "coordinator/api/token_answers.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "common/tokenizer/detokenizer.h"
#include "coordinator/api/openai/tokenize_format.h"
#include "coordinator/prompt/prompt.h"

namespace atl::coordinator {

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
  return TokenizeAnswer(ids, model.max_model_len, texts);
}

std::variant<std::string, ApiError> Detokenize(const ServedModel& model,
                                               const DetokenizeRequest& request) {
  if (!request.model.empty() && request.model != model.name) return ModelNotFound(request.model);
  return DetokenizeAnswer(Decode(*model.tokenizer, request.tokens, SkipSpecial::kShow));
}

}  // namespace atl::coordinator
