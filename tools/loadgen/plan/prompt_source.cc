#include "tools/loadgen/plan/prompt_source.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "common/text/checked_json.h"

namespace atl::tools {
namespace {

using nlohmann::json;

constexpr size_t kFileBytesMax = 256 << 20;
constexpr size_t kPromptsMax = 1'000'000;
constexpr JsonLimits kLineLimits = {
    .depth_max = 64, .values_max = 1'000'000, .token_bytes_max = 16 << 20};
constexpr int64_t kMaxTokensMax = 1'000'000;

// Each is one token, with its blank, of the tokenizers of this family.
constexpr std::array<std::string_view, 64> kWords = {
    "time",     "year",  "people",  "way",    "day",      "man",     "thing",  "woman",
    "life",     "child", "world",   "school", "state",    "family",  "group",  "country",
    "hand",     "part",  "place",   "case",   "week",     "company", "system", "program",
    "question", "work",  "night",   "point",  "home",     "water",   "room",   "mother",
    "area",     "money", "story",   "fact",   "month",    "lot",     "right",  "study",
    "book",     "eye",   "job",     "word",   "business", "issue",   "side",   "kind",
    "head",     "house", "service", "friend", "father",   "power",   "hour",   "game",
    "line",     "end",   "member",  "law",    "car",      "city",    "name",   "team"};

void AppendWords(Draws draws, int64_t num_words, std::string* text) {
  for (int64_t i = 0; i < num_words; ++i) {
    if (!text->empty()) *text += ' ';
    *text += kWords[draws.Below(kWords.size())];
  }
}

std::string FieldsOf(ApiKind api, const std::string& prompt) {
  if (api == ApiKind::kCompletions) return "\"prompt\": " + json(prompt).dump();
  return "\"messages\": [{\"role\": \"user\", \"content\": " + json(prompt).dump() + "}]";
}

}  // namespace

PromptSource::PromptSource(const LoadOptions& options)
    : api_(options.api),
      seed_(options.seed),
      num_prompts_(options.num_prompts),
      shared_prefix_tokens_(options.shared_prefix_tokens),
      num_prefixes_(options.num_prefixes),
      prompt_tokens_(options.prompt_tokens),
      answer_tokens_(options.answer_tokens) {}

absl::StatusOr<PromptSource> PromptSource::Make(const LoadOptions& options) {
  PromptSource source(options);
  if (!options.prompts_file.empty()) {
    ATOLL_RETURN_IF_ERROR(source.ReadFile(options.prompts_file));
  }
  return source;
}

absl::Status PromptSource::ReadFile(const std::string& path) {
  ATOLL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kFileBytesMax));
  std::string_view rest = text;
  for (int line_number = 1; !rest.empty(); ++line_number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (const absl::Status taken = TakeLine(line); !taken.ok()) {
      return Annotate(taken, fmt::format("--prompts {}, line {}", path, line_number));
    }
  }
  if (from_file_.empty()) return InvalidArgument("--prompts {}: no prompt in it", path);
  num_prompts_ = from_file_.size();
  return absl::OkStatus();
}

absl::Status PromptSource::TakeLine(std::string_view line) {
  if (from_file_.size() == kPromptsMax) return InvalidArgument("more than 1000000 prompts");
  ATOLL_ASSIGN_OR_RETURN(const json fields, ParseJsonObject(line, kLineLimits));
  const bool has_prompt = fields.contains("prompt");
  const bool has_messages = fields.contains("messages");
  if (has_prompt == has_messages) return InvalidArgument("give either prompt or messages");
  if (has_messages && api_ == ApiKind::kCompletions) {
    return InvalidArgument("messages belong to --endpoint chat; give a prompt");
  }
  if (has_prompt && api_ == ApiKind::kChat && !fields["prompt"].is_string()) {
    return InvalidArgument("with --endpoint chat a prompt is a text");
  }
  BenchPrompt prompt;
  if (has_messages) {
    prompt.fields = "\"messages\": " + fields["messages"].dump();
  } else if (fields["prompt"].is_string()) {
    prompt.fields = FieldsOf(api_, fields["prompt"].get<std::string>());
  } else {
    prompt.fields = "\"prompt\": " + fields["prompt"].dump();
  }
  if (const auto limit = fields.find("max_tokens"); limit != fields.end()) {
    if (limit->is_number_unsigned() && *limit >= 1 && *limit <= kMaxTokensMax) {
      prompt.max_tokens = limit->get<int64_t>();
    } else {
      return InvalidArgument("max_tokens is {}; give a number from 1 to {}", limit->dump(),
                             kMaxTokensMax);
    }
  } else {
    Draws draws({.seed = seed_, .purpose = DrawPurpose::kPrompt, .index = from_file_.size()});
    prompt.max_tokens = answer_tokens_.Sample(draws);
  }
  if (const auto expect = fields.find("expect"); expect != fields.end()) {
    if (!expect->is_string()) return InvalidArgument("expect is no text");
    prompt.expect = expect->get<std::string>();
  }
  from_file_.push_back(std::move(prompt));
  return absl::OkStatus();
}

BenchPrompt PromptSource::At(uint64_t index) const {
  if (num_prompts_ > 0) index %= num_prompts_;
  if (!from_file_.empty()) return from_file_[index];
  Draws draws({.seed = seed_, .purpose = DrawPurpose::kPrompt, .index = index});
  const int64_t max_tokens = answer_tokens_.Sample(draws);
  const int64_t num_words = prompt_tokens_.Sample(draws);
  std::string text;
  if (shared_prefix_tokens_ > 0) {
    const uint64_t prefix = draws.Below(num_prefixes_);
    AppendWords(Draws({.seed = seed_, .purpose = DrawPurpose::kPrefix, .index = prefix}),
                shared_prefix_tokens_, &text);
  }
  AppendWords(draws, num_words, &text);
  return {.fields = FieldsOf(api_, text), .max_tokens = max_tokens};
}

}  // namespace atl::tools
