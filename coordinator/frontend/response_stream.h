// Tokens of one sequence → the text of its answer, split into reasoning and content and cut at the
// first stop string. The deltas joined are the same however the tokens came.
//
//   ResponseStream stream(tokenizer, {.stop = {"END"}, .stop_ids = {eos}});
//   Send(stream.Append(ids));
//   if (stream.stopped()) Cancel();  // a stop string was found: nothing more will come out
//   Send(stream.Finish());
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/tokenizer/detokenizer.h"
#include "common/tokenizer/tokenizer.h"
#include "coordinator/chat/output_parser.h"
#include "coordinator/chat/stop_matcher.h"
#include "coordinator/openai/answer_format.h"

namespace atl {

struct ResponseOptions {
  AnswerBegins begins = AnswerBegins::kInContent;
  std::vector<std::string> stop;
  std::vector<TokenId> stop_ids;  // they end a sequence and are never shown
};

// **Threads**: one. **Lifetime**: the tokenizer outlives it.
class ResponseStream {
 public:
  ResponseStream(const Tokenizer& tokenizer, ResponseOptions options);

  AnswerDelta Append(std::span<const TokenId> ids);
  // What was held back: the start of a stop string, half a character, white space.
  AnswerDelta Finish();

  bool stopped() const { return stopped_; }
  int64_t num_tokens() const {
    return num_tokens_;
  }  // stop ids and what a stop string cut included

 private:
  bool IsStopId(TokenId id) const;
  AnswerDelta Split(const std::string& text);

  std::vector<TokenId> stop_ids_;
  Detokenizer detokenizer_;
  StopMatcher stop_matcher_;
  OutputParser parser_;
  bool stopped_ = false;
  int64_t num_tokens_ = 0;
};

}  // namespace atl
