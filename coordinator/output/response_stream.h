// Tokens of one sequence → the text of its answer, split into reasoning and content and ended by
// the first stop string. The deltas joined are the same however the tokens came.
//
//   ResponseStream stream(tokenizer, {.stop = {"END"}, .stop_ids = {eos}});
//   Send(stream.Append(ids));
//   if (stream.stopped()) Cancel();  // a stop string was found: nothing more will come out
//   Send(stream.Finish());
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/tokenizer/detokenizer.h"
#include "common/tokenizer/tokenizer.h"
#include "coordinator/output/answer.h"
#include "coordinator/output/output_parser.h"
#include "coordinator/output/stop_matcher.h"

namespace atl::coordinator {

struct ResponseOptions {
  // Nothing: the text is not a chat's and is all content, as it stands.
  std::optional<AnswerBegins> begins = AnswerBegins::kInContent;
  std::vector<std::string> stop = {};
  std::vector<TokenId> stop_ids = {};      // they end a sequence
  StopText stop_text = StopText::kHidden;  // of stop strings and stop ids
  SkipSpecial special = SkipSpecial::kSkip;
  int64_t min_tokens = 0;  // no stop string counts that is complete within so many
};

// **Threads**: one. **Lifetime**: the tokenizer outlives it.
class ResponseStream {
 public:
  ResponseStream(const Tokenizer& tokenizer, ResponseOptions options);

  // Takes tokens up to the one that completes a stop string; the rest is dropped.
  TextDelta Append(std::span<const TokenId> ids);
  // What was held back: the start of a stop string, half a character, white space.
  TextDelta Finish();

  bool stopped() const { return stop_matcher_.stopped(); }
  // The stop string that was found.
  const std::string& stop_string() const { return options_.stop[*stop_matcher_.stop_index()]; }
  // Taken so far, stop ids and the one that completed a stop string included.
  int64_t num_tokens() const { return num_tokens_; }

 private:
  bool IsHidden(TokenId id) const;
  void AppendText(const std::string& text, TextDelta* delta);
  void Split(const std::string& text, TextDelta* delta);

  const ResponseOptions options_;
  Detokenizer detokenizer_;
  StopMatcher stop_matcher_;
  std::optional<OutputParser> parser_;
  int64_t num_tokens_ = 0;
};

}  // namespace atl::coordinator
