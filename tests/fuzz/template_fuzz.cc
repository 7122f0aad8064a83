// Any text as a chat template: refused in a sentence, or rendered within its limits.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "coordinator/prompt/chat_template.h"
#include "coordinator/prompt/messages.h"
#include "tests/hostile/sentence.h"

namespace {

constexpr char kBody[] = R"({
  "messages": [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 2 + 2? \u00e9\u4e16 <|im_end|>"},
    {"role": "assistant", "content": "4", "tool_calls": [{"type": "function", "id": "a",
      "function": {"name": "add", "arguments": {"x": 2, "y": [1.5, null, true]}}}]},
    {"role": "tool", "content": [{"type": "text", "text": "4"}]}],
  "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}],
  "chat_template_kwargs": {"enable_thinking": true, "n": 3}})";

// Small, so that what runs into them does so soon.
constexpr atl::jinja::Limits kLimits = {
    .steps_max = 100'000, .text_bytes_max = size_t{1} << 18, .range_items_max = 10'000};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = atl::coordinator::ChatTemplate::Parse(
      std::string(reinterpret_cast<const char*>(data), size), kLimits);
  if (!parsed.ok()) {
    atl::testing::CheckSentence(parsed.status());
    return 0;
  }
  static const auto& input = *new absl::StatusOr<atl::coordinator::TemplateInput>(
      atl::coordinator::ReadTemplateInput(kBody));
  CHECK_OK(input.status());
  // An error may be the template's own text, so it is not held to be a sentence.
  const auto prompt = (*parsed)->Render(*input);
  if (!prompt.ok()) return 0;
  CHECK(prompt->text().size() <= kLimits.text_bytes_max);
  std::string joined;
  for (const atl::TextSegment& segment : prompt->segments()) joined += segment.text;
  CHECK(joined == prompt->text());
  return 0;
}
