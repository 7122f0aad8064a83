// template: a conversation, in OpenAI's form → the prompt.
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "coordinator/chat/chat_template.h"
#include "coordinator/chat/messages.h"
#include "tools/check/default_template.h"
#include "tools/check/fields.h"
#include "tools/check/kind.h"

namespace atl {
namespace {

constexpr size_t kTemplateBytesMax = size_t{1} << 20;

absl::StatusOr<std::unique_ptr<ChatTemplate>> LoadTemplate(const std::string& file) {
  ATOLL_ASSIGN_OR_RETURN(std::string source, ReadTextFile(file, kTemplateBytesMax));
  auto parsed = ChatTemplate::Parse(std::move(source));
  if (!parsed.ok()) return Annotate(parsed.status(), file);
  return parsed;
}

class Template : public Kind {
 public:
  explicit Template(std::unique_ptr<ChatTemplate> chosen) : chosen_(std::move(chosen)) {}

  absl::Status Answer(const Json& in, const std::string& line, Json& out) override {
    // From the text: a template sees the keys' order and every digit of a number.
    ATOLL_ASSIGN_OR_RETURN(TemplateInput input, ReadTemplateInput(line));
    ATOLL_ASSIGN_OR_RETURN(input.messages, MessagesFromOpenAi(input.messages));
    ATOLL_ASSIGN_OR_RETURN(input.add_generation_prompt,
                           BoolField(in, "add_generation_prompt", false));
    std::unique_ptr<ChatTemplate> own;
    if (FindField(in, "template_file") != nullptr) {
      ATOLL_ASSIGN_OR_RETURN(const std::string file, StringField(in, "template_file"));
      ATOLL_ASSIGN_OR_RETURN(own, LoadTemplate(file));
    }
    ATOLL_ASSIGN_OR_RETURN(const RenderedPrompt prompt, (own ? own : chosen_)->Render(input));
    out["prompt"] = prompt.text();
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<ChatTemplate> chosen_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kind>> MakeTemplate(const CheckFlags& flags) {
  std::unique_ptr<ChatTemplate> chosen;
  if (flags.chat_template.empty()) {
    ATOLL_ASSIGN_OR_RETURN(chosen, ChatTemplate::Parse(kDefaultTemplate));
  } else {
    ATOLL_ASSIGN_OR_RETURN(chosen, LoadTemplate(flags.chat_template));
  }
  return std::make_unique<Template>(std::move(chosen));
}

}  // namespace atl
