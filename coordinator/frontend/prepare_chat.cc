#include "coordinator/frontend/prepare_chat.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "common/base/status_macros.h"
#include "coordinator/chat/jinja/json_reader.h"
#include "coordinator/chat/messages.h"

namespace atl {
namespace {

struct Prompt {
  std::vector<TokenId> ids;
  AnswerBegins begins = AnswerBegins::kInContent;
};

// True if the last think tag that the template itself wrote opens a block.
bool EndsInsideThinking(std::span<const TextSegment> segments) {
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (!segment->is_control) continue;
    const size_t open = segment->text.rfind("<think>");
    const size_t close = segment->text.rfind("</think>");
    if (open == std::string_view::npos && close == std::string_view::npos) continue;
    return close == std::string_view::npos || (open != std::string_view::npos && open > close);
  }
  return false;
}

absl::StatusOr<Prompt> RenderPrompt(const ServedModel& model, const ChatRequest& chat) {
  TemplateInput input;
  ATOLL_ASSIGN_OR_RETURN(const jinja::Value messages, jinja::ReadJson(chat.messages));
  ATOLL_ASSIGN_OR_RETURN(input.messages, MessagesFromOpenAi(messages));
  if (!chat.tools.empty()) {
    ATOLL_ASSIGN_OR_RETURN(input.tools, jinja::ReadJson(chat.tools));
  }
  if (!chat.chat_template_kwargs.empty()) {
    ATOLL_ASSIGN_OR_RETURN(input.chat_template_kwargs, jinja::ReadJson(chat.chat_template_kwargs));
  }
  input.add_generation_prompt = chat.add_generation_prompt;
  input.special_tokens = model.special_tokens;
  ATOLL_ASSIGN_OR_RETURN(const RenderedPrompt rendered, model.chat_template->Render(input));
  const std::vector<TextSegment> segments = rendered.segments();
  Prompt prompt;
  ATOLL_ASSIGN_OR_RETURN(prompt.ids, model.tokenizer->Encode(segments));
  prompt.begins =
      EndsInsideThinking(segments) ? AnswerBegins::kInReasoning : AnswerBegins::kInContent;
  return prompt;
}

ApiError TooLong(std::string message, std::string param) {
  ApiError error = BadRequest(std::move(message), std::move(param));
  error.code = "context_length_exceeded";
  return error;
}

// max_new_tokens within the context, or the error that says how many fit.
std::variant<int32_t, ApiError> AnswerLength(const ServedModel& model, const GenerationFields& chat,
                                             int64_t prompt_tokens, int64_t tokens_max) {
  const int64_t context = model.max_model_len;
  if (prompt_tokens >= context) {
    return TooLong(
        fmt::format("This model's maximum context length is {} tokens. However, your messages have "
                    "{} tokens. Please reduce the length of the messages.",
                    context, prompt_tokens),
        "messages");
  }
  int64_t room = context - prompt_tokens;
  if (chat.max_tokens && *chat.max_tokens > room) {
    return TooLong(
        fmt::format("This model's maximum context length is {} tokens. However, you requested {} "
                    "tokens ({} in the messages, {} in the completion). Please reduce max_tokens "
                    "to at most {}, or the length of the messages.",
                    context, prompt_tokens + *chat.max_tokens, prompt_tokens, *chat.max_tokens,
                    room),
        "max_tokens");
  }
  if (tokens_max > prompt_tokens) room = std::min(room, tokens_max - prompt_tokens);
  return static_cast<int32_t>(chat.max_tokens.value_or(room));
}

}  // namespace

std::variant<PreparedChat, ApiError> PrepareChat(const ServedModel& model,
                                                 const ChatRequest& request, int64_t tokens_max) {
  const GenerationFields& chat = request.generation;
  if (!chat.model.empty() && chat.model != model.name) return ModelNotFound(chat.model);
  absl::StatusOr<Prompt> prompt = RenderPrompt(model, request);
  if (!prompt.ok()) {
    ApiError error = ToApiError(prompt.status());
    if (error.status == 400) error.param = "messages";
    return error;
  }
  const auto length =
      AnswerLength(model, chat, static_cast<int64_t>(prompt->ids.size()), tokens_max);
  if (const auto* error = std::get_if<ApiError>(&length)) return *error;
  PreparedChat prepared;
  prepared.request.prompt = std::move(prompt->ids);
  prepared.request.max_new_tokens = std::get<int32_t>(length);
  prepared.request.vocab_limit = model.tokenizer->vocab_size();
  if (!chat.ignore_eos) prepared.request.stop_ids = model.stop_ids;
  prepared.request.sampling = {.temperature = chat.temperature.value_or(model.defaults.temperature),
                               .top_k = chat.top_k.value_or(model.defaults.top_k),
                               .top_p = chat.top_p.value_or(model.defaults.top_p)};
  prepared.request.seed = chat.seed;
  prepared.stop = chat.stop;
  prepared.begins = prompt->begins;
  prepared.stream = chat.stream;
  prepared.include_usage = chat.include_usage;
  return prepared;
}

}  // namespace atl
