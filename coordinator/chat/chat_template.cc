#include "coordinator/chat/chat_template.h"

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/interpreter.h"
#include "common/jinja/syntax/ast.h"
#include "common/jinja/syntax/parser.h"
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

ChatTemplate::ChatTemplate(std::string source, std::unique_ptr<const jinja::Program> program,
                           const jinja::Limits& limits)
    : source_(std::move(source)), program_(std::move(program)), limits_(limits) {}

ChatTemplate::~ChatTemplate() = default;

absl::StatusOr<std::unique_ptr<ChatTemplate>> ChatTemplate::Parse(std::string source,
                                                                  const jinja::Limits& limits) {
  auto parsed = jinja::ParseProgram(source, limits);
  if (!parsed.ok()) {
    // It quotes the source, which may hold anything.
    return MakeStatus(parsed.status().code(),
                      Printable(MessageOf(parsed.status()), kMistakeBytesMax));
  }
  return std::unique_ptr<ChatTemplate>(
      new ChatTemplate(std::move(source), *std::move(parsed), limits));
}

absl::StatusOr<RenderedPrompt> ChatTemplate::Render(const TemplateInput& input) const {
  using jinja::Value;
  std::vector<std::pair<std::string, Value>> variables;
  variables.emplace_back("documents", Value::None());
  for (const auto& [name, text] : input.special_tokens) {
    variables.emplace_back(name, Value::String(text, jinja::Origin::kTemplate));
  }
  const Value& kwargs = input.chat_template_kwargs;
  if (kwargs.is_dict()) {
    for (const auto& [key, value] : kwargs.dict().entries()) {
      const std::string& name = key.text().bytes();
      if (name == "messages" || name == "tools" || name == "add_generation_prompt") {
        return InvalidArgument(
            "chat_template_kwargs may not set '{}'; it is a field of the request", name);
      }
      variables.emplace_back(name, value);
    }
  } else if (!kwargs.is_none() && !kwargs.is_undefined()) {
    return InvalidArgument("chat_template_kwargs must be an object");
  }
  if (!input.messages.is_undefined()) variables.emplace_back("messages", input.messages);
  variables.emplace_back("tools", input.tools);
  variables.emplace_back("add_generation_prompt", Value::Bool(input.add_generation_prompt));
  jinja::Interpreter interpreter(*program_, limits_);
  ATOLL_ASSIGN_OR_RETURN(jinja::Text text, interpreter.Run(std::move(variables)));
  return RenderedPrompt(std::move(text), input.special_tokens_in_user_text);
}

}  // namespace atl::coordinator
