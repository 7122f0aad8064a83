#include "tools/verify_checkpoint/checks/tokenizer_check.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "coordinator/prompt/chat_template.h"
#include "coordinator/prompt/messages.h"

namespace atl::tools {
namespace {

constexpr int32_t kPublishedIds = 248'077;  // docs/model.md 6.2
constexpr size_t kTemplateBytesMax = size_t{1} << 20;
constexpr const char* kPublishedTemplate = "/template/qwen3_6.jinja";

absl::StatusOr<std::vector<TokenId>> PromptIds(const std::string& source,
                                               const Tokenizer& tokenizer,
                                               const std::string& prompt) {
  ATOLL_ASSIGN_OR_RETURN(const auto chat_template, coordinator::ChatTemplate::Parse(source));
  const nlohmann::json body = {{"messages", {{{"role", "user"}, {"content", prompt}}}}};
  ATOLL_ASSIGN_OR_RETURN(const coordinator::TemplateInput input,
                         coordinator::ReadTemplateInput(body.dump()));
  ATOLL_ASSIGN_OR_RETURN(const coordinator::RenderedPrompt rendered, chat_template->Render(input));
  return tokenizer.Encode(rendered.segments());
}

void CheckTemplate(const std::string& folder, const std::string& data, const Tokenizer& tokenizer,
                   const GoldenAnswer& golden, Report& report) {
  const std::string path = folder + "/chat_template.jinja";
  const auto source = ReadTextFile(path, kTemplateBytesMax);
  if (!source.ok()) {
    report.Find("chat template", fmt::format("{}; copy it from the release, or serve with "
                                             "--chat-template FILE",
                                             MessageOf(source.status())));
    return;
  }
  const auto published = ReadTextFile(data + kPublishedTemplate, kTemplateBytesMax);
  const bool is_published = published.ok() && *published == *source;
  report.Say(fmt::format("chat template: {} bytes, {}", source->size(),
                         is_published ? "that of Qwen3.6" : "not that of Qwen3.6"));
  const auto ids = PromptIds(*source, tokenizer, golden.prompt);
  if (!ids.ok()) {
    report.Find("chat template",
                fmt::format("{}: {}; copy it from the release", path, MessageOf(ids.status())));
  } else if (tokenizer.vocab_size() != kPublishedIds) {
    report.Say("golden prompt: skipped, not the published vocabulary");
  } else if (*ids == golden.prompt_ids) {
    report.Say(fmt::format("golden prompt: the {} ids recorded elsewhere", ids->size()));
  } else {
    report.Find("golden prompt",
                fmt::format("\"{}\" gets other ids than were recorded with the published files; "
                            "copy tokenizer.json and chat_template.jinja again",
                            golden.prompt));
  }
}

}  // namespace

std::unique_ptr<Tokenizer> CheckTokenizer(const std::string& folder, const std::string& data,
                                          const ModelConfig& config, const GoldenAnswer& golden,
                                          Report& report) {
  auto tokenizer = Tokenizer::FromDirectory(folder);
  if (!tokenizer.ok()) {
    report.Find("tokenizer", MessageOf(tokenizer.status()) + "; copy it from the release");
    return nullptr;
  }
  const int32_t num_ids = (*tokenizer)->vocab_size();
  report.Say(fmt::format("{} ids, {} of them added tokens ({} published); the model has {} rows",
                         num_ids, (*tokenizer)->added_tokens().size(), kPublishedIds,
                         config.vocab_size));
  if (num_ids > config.vocab_size) {
    report.Find("tokenizer",
                fmt::format("it has {} ids, the model {} rows; take both from one release", num_ids,
                            config.vocab_size));
    return nullptr;
  }
  CheckTemplate(folder, data, **tokenizer, golden, report);
  return *std::move(tokenizer);
}

}  // namespace atl::tools
