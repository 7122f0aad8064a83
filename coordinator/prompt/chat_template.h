// The checkpoint's chat template: messages in, prompt out.
//
//   ATOLL_ASSIGN_OR_RETURN(auto chat_template, ChatTemplate::Parse(source));
//   ATOLL_ASSIGN_OR_RETURN(TemplateInput input, ReadTemplateInput(body));  // messages.h
//   ATOLL_ASSIGN_OR_RETURN(RenderedPrompt prompt, chat_template->Render(input));
//   ATOLL_ASSIGN_OR_RETURN(auto ids, tokenizer.Encode(prompt.segments()));
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/jinja/jinja.h"
#include "common/text/json_tree.h"
#include "common/tokenizer/tokenizer.h"

namespace atl::coordinator {

// Whether "<|im_start|>" in a message may become the control token of that name.
enum class SpecialTokensInUserText {
  kForbid,  // the default: who sends text cannot end a turn or begin another's
  kAllow,   // as Hugging Face's tokenizers do with a rendered prompt
};

// What a template sees. All text of the trees counts as the user's.
struct TemplateInput {
  std::optional<JsonNode> messages;  // absent: the template knows no such name
  JsonNode tools;                    // null: none
  JsonNode chat_template_kwargs;     // an object, each entry of which becomes a variable; or null
  bool add_generation_prompt = true;
  // {"bos_token", "<s>"}: the template's own text.
  std::vector<std::pair<std::string, std::string>> special_tokens;
  SpecialTokensInUserText special_tokens_in_user_text = SpecialTokensInUserText::kForbid;
};

class RenderedPrompt {
 public:
  RenderedPrompt(jinja::Text text, SpecialTokensInUserText policy)
      : text_(std::move(text)), policy_(policy) {}

  const std::string& text() const { return text_.bytes(); }
  // The text in order; neighbours differ in kind. **Lifetime**: they look into this prompt.
  std::vector<TextSegment> segments() const;

 private:
  jinja::Text text_;
  SpecialTokensInUserText policy_;
};

// Immutable. **Threads**: any number at once.
class ChatTemplate {
 public:
  // Errors: InvalidArgument or Unimplemented "template:N: ..." for what is no template, too long or
  // not supported.
  static absl::StatusOr<std::unique_ptr<ChatTemplate>> Parse(std::string source,
                                                             const jinja::Limits& limits = {});

  // Errors: InvalidArgument with exactly the message of the template's raise_exception, or
  // "template:N: ..." for anything else that the input makes go wrong, limits included.
  absl::StatusOr<RenderedPrompt> Render(const TemplateInput& input) const;

  const std::string& source() const { return source_; }

 private:
  ChatTemplate(std::string source, std::unique_ptr<const jinja::Template> parsed)
      : source_(std::move(source)), template_(std::move(parsed)) {}

  const std::string source_;
  const std::unique_ptr<const jinja::Template> template_;
};

}  // namespace atl::coordinator
