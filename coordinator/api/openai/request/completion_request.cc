#include "coordinator/api/openai/request/completion_request.h"

#include <fmt/format.h>

#include <utility>

#include "coordinator/api/openai/request/generation_fields.h"

namespace atl::coordinator {
namespace {

constexpr const char* kPromptForms =
    "expected a string, a list of strings, a list of token ids or a list of such lists";

// One prompt: a string, or a list of ids.
CompletionPrompt ReadPrompt(const JsonNode& value, const std::string& name, int32_t ids_end,
                            Fields* fields) {
  if (value.is_string() ? value.string().empty() : value.list().empty()) {
    fields->Fail(name, "an empty prompt can not be continued");
    return {};
  }
  if (value.is_string()) return value.string();
  return ReadIds(value, name, ids_end, fields);
}

std::vector<CompletionPrompt> ReadPrompts(const ParseLimits& limits, Fields* fields) {
  const JsonNode* prompt = fields->Find("prompt");
  if (prompt == nullptr) {
    fields->Fail("prompt", "this parameter is required");
    return {};
  }
  const bool is_list = prompt->is_list() && !prompt->list().empty();
  const JsonNode& first = is_list ? prompt->list()[0] : *prompt;
  const bool of_prompts = is_list && (first.is_string() || first.is_list());
  const bool of_ids = is_list && first.is_number();
  if (!of_prompts) {
    if (prompt->is_string() || of_ids || (prompt->is_list() && prompt->list().empty())) {
      return {ReadPrompt(*prompt, "prompt", limits.vocab_size, fields)};
    }
    fields->Fail("prompt", fmt::format("{}, got {}{}", kPromptForms, is_list ? "a list with " : "",
                                       Found(first)));
    return {};
  }
  if (prompt->list().size() > static_cast<size_t>(limits.sequences_max)) {
    fields->Fail("prompt", fmt::format("expected at most {} prompts, got {}", limits.sequences_max,
                                       prompt->list().size()));
    return {};
  }
  std::vector<CompletionPrompt> prompts;
  for (const JsonNode& item : prompt->list()) {
    const std::string name = fmt::format("prompt[{}]", prompts.size());
    if (item.kind() != first.kind()) {
      fields->Fail(name, fmt::format("expected {} as the prompts before, got {}", Found(first),
                                     Found(item)));
      return {};
    }
    prompts.push_back(ReadPrompt(item, name, limits.vocab_size, fields));
  }
  return prompts;
}

}  // namespace

CompletionRequest ReadCompletion(const ParseLimits& limits, Fields* fields) {
  CompletionRequest request;
  request.prompts = ReadPrompts(limits, fields);
  request.generation = ReadGeneration(limits, fields);
  request.generation.top_logprobs =
      static_cast<int32_t>(fields->Integer("logprobs", 0, kTopLogprobsMax).value_or(-1));
  request.echo = fields->Bool("echo").value_or(false);
  request.add_special_tokens = fields->Bool("add_special_tokens").value_or(true);
  fields->AcceptOnly("suffix", "\"\"");
  const auto sequences = static_cast<int64_t>(request.prompts.size()) * request.generation.n;
  if (sequences > limits.sequences_max) {
    fields->Fail("n",
                 fmt::format("{} answers to each of {} prompts are more than the {} answers "
                             "that one request may have",
                             request.generation.n, request.prompts.size(), limits.sequences_max));
  }
  return request;
}

}  // namespace atl::coordinator
