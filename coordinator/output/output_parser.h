// Generated text → reasoning and content, as it comes.
//
//   OutputParser parser(AnswerBegins::kInReasoning);
//   Send(parser.Append("Let me"));
//   Send(parser.Append(" see.\n</think>\n\nFour."));  // reasoning " see.", content "Four."
//   Send(parser.Finish());
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "coordinator/output/answer.h"

namespace atl::coordinator {

// The deltas joined are the same however the text was cut: newlines that may turn out to stand at
// an edge, and what may become a tag, wait for what follows. Newlines around the reasoning and
// before the content are dropped. kInReasoning: the prompt ended inside "<think>". Then "</think>"
// ends the reasoning, and so does "<tool_call>", which stays in the content; a "<think>" that the
// model repeats at the start and any later "</think>" are dropped; without an end all is reasoning.
// kInContent: all is content, tags too. **Threads**: one.
class OutputParser {
 public:
  explicit OutputParser(AnswerBegins begins)
      : state_(begins == AnswerBegins::kInReasoning ? State::kStart : State::kPlain) {}

  TextDelta Append(std::string_view text);
  // What was held back. Nothing may be appended afterwards.
  TextDelta Finish();

  bool in_reasoning() const { return state_ == State::kStart || state_ == State::kReasoning; }

 private:
  enum class State {
    kStart,  // of the reasoning; newlines and a "<think>" may come
    kReasoning,
    kContent,  // after the reasoning
    kPlain,    // content without any tags
  };
  enum class Input { kGoesOn, kEnds };

  // Takes from pending_ what is decided, into `delta`.
  void Drain(Input input, TextDelta& delta);
  size_t TakeStart(size_t begin, Input input);
  size_t TakeReasoning(size_t begin, Input input, TextDelta& delta);
  size_t TakeContent(size_t begin, Input input, TextDelta& delta);
  void AddReasoning(std::string_view text, TextDelta& delta);
  void AddContent(std::string_view text, TextDelta& delta);

  State state_;
  std::string pending_;
  size_t newlines_held_ = 0;  // after the reasoning so far
  bool reasoning_begun_ = false;
  bool content_begun_ = false;
};

}  // namespace atl::coordinator
