#include "worker/scripted/answer.h"

#include <algorithm>

#include "common/base/status_macros.h"

namespace atl::worker {
namespace {

// 0.9 for what is sampled, and less than what is left for all that may be told beside it.
constexpr float kSampledLogprob = -0.1f;
constexpr float kNeighbourLogprob = -6.0f;
constexpr float kNeighbourStep = -0.125f;

bool IsStop(TokenId id, const StartSequence& start) {
  return std::find(start.stop_ids.begin(), start.stop_ids.end(), id) != start.stop_ids.end();
}

}  // namespace

absl::StatusOr<SpokenText> Encode(const Tokenizer& tokenizer, std::span<const std::string> chunks) {
  SpokenText text;
  for (const std::string& chunk : chunks) {
    ATOLL_ASSIGN_OR_RETURN(const std::vector<TokenId> ids,
                           tokenizer.Encode(chunk, {.special = EncodeOptions::Special::kParse,
                                                    .nfc = EncodeOptions::Nfc::kOff}));
    text.ids.insert(text.ids.end(), ids.begin(), ids.end());
  }
  const std::optional<TokenId> thought_end = tokenizer.IdOf("</think>");
  text.closes_thought =
      thought_end && std::find(text.ids.begin(), text.ids.end(), *thought_end) != text.ids.end();
  return text;
}

TokenId Answer::Choose(int64_t index, const StartSequence& start) const {
  const auto opening = static_cast<int64_t>(parts_.opening.size());
  if (index < opening) return parts_.opening[static_cast<size_t>(index)];
  const auto size = static_cast<int64_t>(text().size());
  const bool is_over = index - opening >= size * parts_.repeat;
  const bool may_end = index >= start.sampling.min_tokens && IsStop(parts_.end_token, start);
  if (size == 0 || (is_over && may_end && parts_.then == Closing::kStop)) return parts_.end_token;
  return text()[static_cast<size_t>((index - opening) % size)];
}

Spoken Answer::At(int64_t index, const StartSequence& start) const {
  const bool has_event = parts_.then != Closing::kStop && parts_.then != Closing::kLength;
  const auto said = static_cast<int64_t>(parts_.opening.size()) +
                    static_cast<int64_t>(text().size()) * parts_.repeat;
  if (has_event && index >= said) return {.closing = parts_.then};
  TokenId id = Choose(index, start);
  // More stop ids than the vocabulary has entries cannot be told from outside: 1,024 at most.
  while (index < start.sampling.min_tokens && IsStop(id, start)) {
    id = TokenId{(Value(id) + 1) % parts_.vocab_size};
  }
  return {.id = id};
}

TokenLogprobs ScriptedLogprobs(TokenId id, int32_t num_top, int32_t vocab_size) {
  TokenLogprobs reported = {.logprob = kSampledLogprob, .rank = 1};
  for (int32_t i = 0; i < std::min(num_top, vocab_size); ++i) {
    reported.top.push_back(
        {.id = TokenId{(Value(id) + i) % vocab_size},
         .logprob = i == 0 ? kSampledLogprob
                           : kNeighbourLogprob + kNeighbourStep * static_cast<float>(i)});
  }
  return reported;
}

}  // namespace atl::worker
