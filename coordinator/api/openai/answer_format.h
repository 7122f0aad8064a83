// The JSON of generated answers, chats and completions: events of a stream, and the whole. Texts
// may be any bytes; what is no UTF-8 becomes U+FFFD.
//
//   const ResponseHeader header{.kind = ResponseKind::kChat, .id = "chatcmpl-…", .model = name};
//   Write(BeginEvent(header, 0));
//   Write(DeltaEvents(header, {.index = 0, .text = {.content = "Hel"}}));
//   Write(DeltaEvents(header, {.text = {.content = "lo"}, .end = ChoiceEnd{}}));
//   Write(UsageEvent(header, usage) + kDoneEvent);
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "coordinator/output/answer.h"

namespace atl::coordinator {

enum class ResponseKind : uint8_t { kChat, kCompletion };

// What is the same in every delta of one answer.
struct ResponseHeader {
  ResponseKind kind = ResponseKind::kChat;
  std::string id = {};  // "chatcmpl-…" or "cmpl-…"
  std::string model = {};
  int64_t created_unix_s = 0;
};

// Events of a stream, each `data: …` with its empty line. In order: for each choice its BeginEvent
// and deltas, the last of them with its end; where asked for one UsageEvent; then kDoneEvent.
// BeginEvent tells the role and is empty for completions; DeltaEvents is empty for a delta that
// has neither text nor tokens nor end.
std::string BeginEvent(const ResponseHeader& header, int32_t index);
std::string DeltaEvents(const ResponseHeader& header, const ChoiceDelta& delta);
std::string UsageEvent(const ResponseHeader& header, const Usage& usage);
std::string DataEvent(const std::string& json);
inline constexpr const char* kDoneEvent = "data: [DONE]\n\n";

// The object `chat.completion` or `text_completion`. Each choice is whole and has its end.
std::string CompleteResponse(const ResponseHeader& header, std::span<const ChoiceDelta> choices,
                             const Usage& usage);

}  // namespace atl::coordinator
