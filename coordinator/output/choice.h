// One choice of an answer: what its sequence samples becomes the delta that is sent next.
//
//   Choice choice(tokenizer, {.index = 0, .response = {.stop = {"END"}}});
//   choice.OnTokens(ids, logprobs);
//   if (choice.ended()) engine.Cancel(seq);  // a stop string was found
//   writer.AddDelta(choice.TakeDelta(bytes_max));
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/step/finish_reason.h"
#include "common/step/sampling_params.h"
#include "common/tokenizer/tokenizer.h"
#include "coordinator/output/answer.h"
#include "coordinator/output/response_stream.h"

namespace atl::coordinator {

struct ChoiceOptions {
  int32_t index = 0;
  ResponseOptions response = {};
  std::vector<TokenId> stop_token_ids = {};  // the client's own, told as stop_reason
  bool logprobs = false;
  std::string echo = {};               // what the text begins with
  std::vector<TokenId> echo_ids = {};  // its tokens, where their logprobs are told
  bool echo_only = false;              // nothing of what is sampled is told
};

// **Threads**: one. **Lifetime**: the tokenizer outlives it.
class Choice {
 public:
  Choice(const Tokenizer& tokenizer, ChoiceOptions options);

  // Logprobs of the prompt's tokens from the second on, in order.
  void OnPrompt(std::span<const TokenLogprobs> logprobs);
  // `logprobs`: one for each token, or none where they were not asked for.
  void OnTokens(std::span<const TokenId> ids, std::span<const TokenLogprobs> logprobs);
  // The sequence has ended by itself; `reason` is kStop or kLength.
  void OnEnd(FinishReason reason);

  // All of the text is known: the sequence has ended, or a stop string was found.
  bool ended() const { return finish_reason_.has_value(); }
  std::optional<FinishReason> finish_reason() const { return finish_reason_; }
  int64_t num_tokens() const { return options_.echo_only ? 0 : stream_.num_tokens(); }

  int32_t index() const { return options_.index; }

  // What came since the last call, at most about `bytes_max` of text and as much of logprobs; with
  // its end once ended and nothing is left.
  ChoiceDelta TakeDelta(size_t bytes_max);
  bool has_delta() const;
  // Sampled and not yet taken, about.
  size_t waiting_bytes() const { return waiting_bytes_; }

 private:
  // Returns about how many bytes that is.
  size_t Report(TokenId id, const TokenLogprobs* logprobs);
  std::vector<ReportedToken> TakeReported(size_t bytes_max);
  void Add(const TextDelta& delta);
  void End(FinishReason reason, StopReason stop_reason);

  const Tokenizer& tokenizer_;
  ChoiceOptions options_;
  ResponseStream stream_;
  ChoiceDelta delta_;
  size_t reported_taken_ = 0;  // of the delta's logprobs
  size_t waiting_bytes_ = 0;
  size_t echo_reported_ = 0;  // tokens of the prompt
  int64_t characters_ = 0;    // of the tokens reported before this delta
  TokenId last_token_{-1};
  std::optional<FinishReason> finish_reason_;
};

}  // namespace atl::coordinator
