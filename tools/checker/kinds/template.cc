// template: a conversation, in OpenAI's form → the prompt.
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/status_macros.h"
#include "coordinator/prompt/messages.h"
#include "tools/checker/kinds/kind.h"
#include "tools/checker/question/fields.h"
#include "tools/checker/question/named_files.h"

namespace atl::tools {
namespace {

class Template : public Kind {
 public:
  explicit Template(std::unique_ptr<coordinator::ChatTemplate> chosen)
      : chosen_(std::move(chosen)) {}

  absl::Status Answer(const Json& in, const std::string& line, Json& out) override {
    // From the text: a template sees the keys' order and every digit of a number.
    ATOLL_ASSIGN_OR_RETURN(coordinator::TemplateInput input, coordinator::ReadTemplateInput(line));
    ATOLL_ASSIGN_OR_RETURN(input.messages, coordinator::MessagesFromOpenAi(
                                               std::move(input.messages).value_or(JsonNode())));
    ATOLL_ASSIGN_OR_RETURN(input.add_generation_prompt,
                           BoolField(in, "add_generation_prompt", false));
    std::unique_ptr<coordinator::ChatTemplate> own;
    if (FindField(in, "template_file") != nullptr) {
      ATOLL_ASSIGN_OR_RETURN(const std::string file, StringField(in, "template_file"));
      ATOLL_ASSIGN_OR_RETURN(own, LoadTemplate(file));
    }
    ATOLL_ASSIGN_OR_RETURN(const coordinator::RenderedPrompt prompt,
                           (own ? own : chosen_)->Render(input));
    out["prompt"] = prompt.text();
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<coordinator::ChatTemplate> chosen_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kind>> MakeTemplate(const CheckFlags& flags) {
  ATOLL_ASSIGN_OR_RETURN(auto chosen, LoadChosenTemplate(flags));
  return std::make_unique<Template>(std::move(chosen));
}

}  // namespace atl::tools
