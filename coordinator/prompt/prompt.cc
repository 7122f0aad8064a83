#include "coordinator/prompt/prompt.h"

#include <fmt/format.h>

#include <span>
#include <string_view>
#include <utility>

#include "common/base/status_macros.h"
#include "common/tokenizer/detokenizer.h"
#include "coordinator/prompt/messages.h"

namespace atl::coordinator {
namespace {

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

absl::StatusOr<Prompt> Render(const ServedModel& model, const ChatRequest& chat) {
  TemplateInput input;
  ATOLL_ASSIGN_OR_RETURN(input.messages, MessagesFromOpenAi(chat.messages));
  input.tools = chat.tools;
  input.chat_template_kwargs = chat.chat_template_kwargs;
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

ApiError ErrorAt(const absl::Status& status, const char* param) {
  ApiError error = ToApiError(status);
  if (error.status == 400) error.param = param;
  return error;
}

}  // namespace

std::variant<Prompt, ApiError> ChatPrompt(const ServedModel& model, const ChatRequest& chat) {
  absl::StatusOr<Prompt> prompt = Render(model, chat);
  if (!prompt.ok()) return ErrorAt(prompt.status(), "messages");
  return *std::move(prompt);
}

std::variant<Prompt, ApiError> TextPrompt(const ServedModel& model, std::string text) {
  auto ids = model.tokenizer->Encode(text, {.special = EncodeOptions::Special::kParse});
  if (!ids.ok()) return ErrorAt(ids.status(), "prompt");
  return Prompt{.ids = *std::move(ids), .text = std::move(text), .begins = {}};
}

std::variant<Prompt, ApiError> IdsPrompt(const ServedModel& model, std::vector<TokenId> ids) {
  for (const TokenId id : ids) {
    if (Value(id) >= 0 && Value(id) < model.vocab_size) continue;
    return BadRequest(fmt::format("prompt: token id {} is outside the vocabulary of {}.", Value(id),
                                  model.vocab_size),
                      "prompt");
  }
  std::string text = Decode(*model.tokenizer, ids, SkipSpecial::kShow);
  return Prompt{.ids = std::move(ids), .text = std::move(text), .begins = {}};
}

}  // namespace atl::coordinator
