// What an answer to a request for text is, before a dialect of the API spells it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/step/finish_reason.h"
#include "coordinator/request/request_timings.h"

namespace atl::coordinator {

// Where the prompt left off.
enum class AnswerBegins : uint8_t { kInContent, kInReasoning };

// The text that a step adds to an answer: reasoning comes before content. A completion has content
// alone. Texts may be any bytes.
struct TextDelta {
  std::string reasoning = {};
  std::string content = {};

  bool empty() const { return reasoning.empty() && content.empty(); }
  size_t size_bytes() const { return reasoning.size() + content.size(); }
  void Append(const TextDelta& more) {
    reasoning += more.reasoning;
    content += more.content;
  }
};

// A token that could have been sampled. The bytes of one token may be part of a character.
struct ReportedAlternative {
  std::string bytes;
  float logprob = 0.0f;
};

// A token of an answer, or of an echoed prompt.
struct ReportedToken {
  std::string bytes;
  std::optional<float> logprob = {};          // nothing: the first token of a prompt has none
  std::vector<ReportedAlternative> top = {};  // the likeliest first
};

// What ended a choice beside the end of a turn or its length: a stop string or a stop id of the
// client's own. Nothing: the client named neither.
using StopReason = std::variant<std::monostate, TokenId, std::string>;

struct ChoiceEnd {
  FinishReason finish_reason = FinishReason::kStop;  // kStop or kLength
  StopReason stop_reason = {};
};

// A part of one choice, or all of it.
struct ChoiceDelta {
  int32_t index = 0;
  TextDelta text = {};
  std::optional<std::vector<ReportedToken>> logprobs = {};  // nothing: not asked for
  // Characters of the choice's text before the first token of `logprobs`.
  int64_t text_offset = 0;
  std::optional<ChoiceEnd> end = {};
};

// What an answer cost, over all its choices.
struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  std::optional<RequestTimings> timings = {};  // nothing: not asked for
};

// How many characters begin in these bytes: summed over the tokens of a text it is the length of
// the text, also where a character is made of several tokens.
int64_t NumCharacters(std::string_view bytes);

}  // namespace atl::coordinator
