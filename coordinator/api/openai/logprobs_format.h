// Log-probabilities in the two forms of OpenAI's API. Numbers have the shortest digits that read
// back to the same float. JSON knows no infinity: what is below −9999, or no number, is told as
// −9999.0, as vLLM does.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atl::coordinator {

// A token that could have been drawn. The bytes of one token may be part of a character.
struct ToldAlternative {
  std::string bytes;
  float logprob = 0.0f;
};

// A token of an answer, or of an echoed prompt.
struct ToldToken {
  std::string bytes;
  std::optional<float> logprob = {};      // nothing: the first token of a prompt has none
  std::vector<ToldAlternative> top = {};  // the likeliest first
};

// {"content": [{"token", "logprob", "bytes", "top_logprobs": […]}]}
std::string ChatLogprobsJson(std::span<const ToldToken> tokens);

// {"tokens", "token_logprobs", "top_logprobs", "text_offset"}: `text_offset` characters stand
// before the first token. The token itself is always among its top_logprobs; of two tokens that
// look the same the likelier is told, for JSON's keys are unique.
std::string CompletionLogprobsJson(std::span<const ToldToken> tokens, int64_t text_offset);

// How many characters begin in these bytes: summed over the tokens of a text it is the length of
// the text, also where a character is made of several tokens.
int64_t NumCharacters(std::string_view bytes);

}  // namespace atl::coordinator
