// The JSON of generated answers, chats and completions: events of a stream, and the whole. Texts
// may be any bytes; what is no UTF-8 becomes U+FFFD.
//
//   const AnswerHeader header{.kind = AnswerKind::kChat, .id = "chatcmpl-…", .model = name};
//   Write(BeginEvent(header, 0));
//   Write(PieceEvents(header, {.index = 0, .text = {.content = "Hel"}}));
//   Write(PieceEvents(header, {.text = {.content = "lo"}, .end = ChoiceEnd{"stop"}}));
//   Write(UsageEvent(header, usage) + kDoneEvent);
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "coordinator/api/openai/logprobs_format.h"

namespace atl::coordinator {

enum class AnswerKind : uint8_t { kChat, kCompletion };

// What is the same in every piece of one answer.
struct AnswerHeader {
  AnswerKind kind = AnswerKind::kChat;
  std::string id = {};  // "chatcmpl-…" or "cmpl-…"
  std::string model = {};
  int64_t created_unix_s = 0;
};

// How long a request was in which state, told where it was asked for.
struct AnswerTimings {
  double queued_ms = 0.0;
  double prefill_ms = 0.0;
  double decode_ms = 0.0;
  double preempted_ms = 0.0;
  int32_t preemptions = 0;
};

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  std::optional<AnswerTimings> timings = {};
};

// What a step added to an answer: reasoning comes before content. A completion has content alone.
struct AnswerDelta {
  std::string reasoning = {};
  std::string content = {};
  bool empty() const { return reasoning.empty() && content.empty(); }
};

// What ended a choice beside the end of a turn or its length: a stop string or a stop id of the
// client's own. Nothing: `stop_reason` is null.
using StopReason = std::variant<std::monostate, TokenId, std::string>;

struct ChoiceEnd {
  std::string finish_reason;  // "stop" or "length"
  StopReason stop_reason = {};
};

// A part of one choice, or all of it.
struct ChoicePiece {
  int32_t index = 0;
  AnswerDelta text = {};
  std::optional<std::vector<ToldToken>> logprobs = {};  // nothing: not asked for
  // Characters of the choice's text before the first token of `logprobs`, in completions.
  int64_t text_offset = 0;
  std::optional<ChoiceEnd> end = {};
};

// Events of a stream, each `data: …` with its empty line. In order: for each choice its BeginEvent
// and pieces, the last of them with its end; where asked for one UsageEvent; then kDoneEvent.
// BeginEvent tells the role and is empty for completions; PieceEvents is empty for a piece that
// has neither text nor tokens nor end.
std::string BeginEvent(const AnswerHeader& header, int32_t index);
std::string PieceEvents(const AnswerHeader& header, const ChoicePiece& piece);
std::string UsageEvent(const AnswerHeader& header, const Usage& usage);
std::string DataEvent(const std::string& json);
inline constexpr const char* kDoneEvent = "data: [DONE]\n\n";

// The object `chat.completion` or `text_completion`. Each choice is whole and has its end.
std::string WholeAnswer(const AnswerHeader& header, std::span<const ChoicePiece> choices,
                        const Usage& usage);

}  // namespace atl::coordinator
