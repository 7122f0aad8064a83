#include "coordinator/prompt/chat_template.h"

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/text/printable.h"

namespace atl::coordinator {
namespace {

constexpr size_t kMistakeBytesMax = 500;

}  // namespace

std::vector<TextSegment> RenderedPrompt::segments() const {
  const std::string_view text = text_.view();
  if (policy_ == SpecialTokensInUserText::kAllow) {
    return text.empty() ? std::vector<TextSegment>{} : std::vector<TextSegment>{{text, true}};
  }
  std::vector<TextSegment> segments;
  size_t begin = 0;
  for (const jinja::Text::Run& run : text_.Runs()) {
    segments.push_back(
        {text.substr(begin, run.end - begin), run.origin == jinja::Origin::kTemplate});
    begin = run.end;
  }
  return segments;
}

absl::StatusOr<std::unique_ptr<ChatTemplate>> ChatTemplate::Parse(std::string source,
                                                                  const jinja::Limits& limits) {
  auto parsed = jinja::Template::Parse(source, limits);
  if (!parsed.ok()) {
    // It quotes the source, which may hold anything.
    return MakeStatus(parsed.status().code(),
                      Printable(MessageOf(parsed.status()), kMistakeBytesMax));
  }
  return std::unique_ptr<ChatTemplate>(new ChatTemplate(std::move(source), *std::move(parsed)));
}

absl::StatusOr<RenderedPrompt> ChatTemplate::Render(const TemplateInput& input) const {
  const JsonNode none;
  std::vector<jinja::Variable> variables;
  variables.push_back({"documents", &none});
  for (const auto& [name, text] : input.special_tokens) variables.push_back({name, text});
  const JsonNode& kwargs = input.chat_template_kwargs;
  if (kwargs.is_object()) {
    for (const auto& [name, value] : kwargs.object().entries()) {
      if (name == "messages" || name == "tools" || name == "add_generation_prompt") {
        return InvalidArgument(
            "chat_template_kwargs may not set '{}'; it is a field of the request", name);
      }
      variables.push_back({name, &value});
    }
  } else if (!kwargs.is_null()) {
    return InvalidArgument("chat_template_kwargs must be an object");
  }
  if (input.messages) variables.push_back({"messages", &*input.messages});
  variables.push_back({"tools", &input.tools});
  variables.push_back({"add_generation_prompt", input.add_generation_prompt});
  ATOLL_ASSIGN_OR_RETURN(jinja::Text text, template_->Render(variables));
  return RenderedPrompt(std::move(text), input.special_tokens_in_user_text);
}

}  // namespace atl::coordinator
