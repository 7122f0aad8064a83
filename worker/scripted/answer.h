// The tokens that a script's rule gives one sequence: a function of the token's index and of what
// the request asked for, so that a sequence which is recomputed goes on where it was.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/step/step_plan.h"
#include "common/tokenizer/tokenizer.h"
#include "worker/scripted/script.h"

namespace atl::worker {

// A rule's text in ids.
struct SpokenText {
  std::vector<TokenId> ids;
  bool closes_thought = false;  // holds </think>
};

// kInvalidArgument: text that is no UTF-8.
absl::StatusOr<SpokenText> Encode(const Tokenizer& tokenizer, std::span<const std::string> chunks);

// What happens at one index: a token is sampled, or the rule's end is reached.
struct Spoken {
  Closing closing = Closing::kStop;  // kHang, kCrash, kNan; otherwise `id` is sampled
  TokenId id{};
};

class Answer {
 public:
  struct Parts {
    std::vector<TokenId> opening;     // said once, before the text
    std::span<const TokenId> text{};  // outlives the answer; or
    std::vector<TokenId> echo{};      // … the answer's own
    int32_t repeat = 1;
    Closing then = Closing::kStop;
    TokenId end_token{};
    int32_t vocab_size = 0;
  };
  explicit Answer(Parts parts) : parts_(std::move(parts)) {}

  // The end token comes where the text ends if the request stops there; if it does not (ignore_eos)
  // or may not yet (min_tokens), the text begins again. A stop id inside the text that may not yet
  // be sampled gives way to the next id that is none.
  Spoken At(int64_t index, const StartSequence& start) const;

 private:
  std::span<const TokenId> text() const {
    return parts_.echo.empty() ? parts_.text : std::span<const TokenId>(parts_.echo);
  }
  TokenId Choose(int64_t index, const StartSequence& start) const;

  Parts parts_;
};

// A plausible report of a sampled token: it, then its neighbours in the vocabulary.
TokenLogprobs ScriptedLogprobs(TokenId id, int32_t num_top, int32_t vocab_size);

}  // namespace atl::worker
