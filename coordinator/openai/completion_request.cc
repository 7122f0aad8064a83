#include "coordinator/openai/completion_request.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "coordinator/openai/generation_fields.h"

namespace atl::coordinator {
namespace {

using Json = nlohmann::json;

constexpr const char* kPromptForms =
    "expected a string, a list of strings, a list of token ids or a list of such lists";

// One prompt: a string, or a list of ids.
CompletionPrompt ReadPrompt(const Json& value, const std::string& name, int32_t ids_end,
                            Fields* fields) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr ? value.empty() : text->empty()) {
    fields->Fail(name, "an empty prompt can not be continued");
    return {};
  }
  if (text != nullptr) return *text;
  return ReadIds(value, name, ids_end, fields);
}

std::vector<CompletionPrompt> ReadPrompts(const ParseLimits& limits, Fields* fields) {
  const Json* prompt = fields->Find("prompt");
  if (prompt == nullptr) {
    fields->Fail("prompt", "this parameter is required");
    return {};
  }
  const bool is_list = prompt->is_array() && !prompt->empty();
  const bool of_prompts = is_list && ((*prompt)[0].is_string() || (*prompt)[0].is_array());
  const bool of_ids = is_list && (*prompt)[0].is_number();
  if (!of_prompts) {
    if (prompt->is_string() || of_ids || (prompt->is_array() && prompt->empty())) {
      return {ReadPrompt(*prompt, "prompt", limits.vocab_size, fields)};
    }
    fields->Fail("prompt", fmt::format("{}, got {}{}", kPromptForms, is_list ? "a list with " : "",
                                       Found(is_list ? (*prompt)[0] : *prompt)));
    return {};
  }
  if (prompt->size() > static_cast<size_t>(limits.sequences_max)) {
    fields->Fail("prompt", fmt::format("expected at most {} prompts, got {}", limits.sequences_max,
                                       prompt->size()));
    return {};
  }
  std::vector<CompletionPrompt> prompts;
  for (const Json& item : *prompt) {
    const std::string name = fmt::format("prompt[{}]", prompts.size());
    if (item.type() != (*prompt)[0].type()) {
      fields->Fail(name, fmt::format("expected {} as the prompts before, got {}",
                                     Found((*prompt)[0]), Found(item)));
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
  fields->AcceptOnly("suffix", "");
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
