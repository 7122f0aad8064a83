// The JSON of chat answers: chunks of a stream, and the whole.
#pragma once

#include <cstdint>
#include <string>

namespace atl {

// What is the same in every piece of one answer.
struct AnswerHeader {
  std::string id;  // "chatcmpl-…"
  std::string model;
  int64_t created_unix_s = 0;
};

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
};

// What a step added to an answer: reasoning comes before content.
struct AnswerDelta {
  std::string reasoning;
  std::string content;
  bool empty() const { return reasoning.empty() && content.empty(); }
};

// Events of a stream, each `data: …` with its empty line. In order: one role chunk, content
// chunks, one finish chunk, where asked for one usage chunk, then kDoneEvent.
std::string RoleEvent(const AnswerHeader& header);
std::string DeltaEvents(const AnswerHeader& header, const AnswerDelta& delta);
std::string FinishEvent(const AnswerHeader& header, const std::string& finish_reason);
std::string UsageEvent(const AnswerHeader& header, const Usage& usage);
std::string DataEvent(const std::string& json);
inline constexpr const char* kDoneEvent = "data: [DONE]\n\n";

// The object `chat.completion`.
std::string WholeAnswer(const AnswerHeader& header, const AnswerDelta& text,
                        const std::string& finish_reason, const Usage& usage);

}  // namespace atl
