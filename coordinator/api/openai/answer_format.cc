#include "coordinator/api/openai/answer_format.h"

#include <fmt/format.h>

#include <iterator>

#include "common/step/finish_reason.h"
#include "common/text/json_text.h"
#include "coordinator/api/openai/logprobs_format.h"

namespace atl::coordinator {
namespace {

enum class Whole : bool { kNo, kYes };

const char* ObjectName(AnswerKind kind, Whole whole) {
  if (kind == AnswerKind::kCompletion) return "text_completion";
  return whole == Whole::kYes ? "chat.completion" : "chat.completion.chunk";
}

// `{"id":…,"object":…,"created":…,"model":…,"choices":[`
std::string Head(const AnswerHeader& header, Whole whole) {
  std::string out = R"({"id":)";
  AppendJsonString(header.id, &out);
  fmt::format_to(std::back_inserter(out), R"(,"object":"{}","created":{},"model":)",
                 ObjectName(header.kind, whole), header.created_unix_s);
  AppendJsonString(header.model, &out);
  out.append(R"(,"choices":[)");
  return out;
}

void AppendUsage(const Usage& usage, std::string* out) {
  fmt::format_to(std::back_inserter(*out),
                 R"("usage":{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{})",
                 usage.prompt_tokens, usage.completion_tokens,
                 usage.prompt_tokens + usage.completion_tokens);
  if (usage.timings) {
    fmt::format_to(std::back_inserter(*out),
                   R"(,"timings":{{"queued_ms":{:.3f},"prefill_ms":{:.3f},"decode_ms":{:.3f},)"
                   R"("preempted_ms":{:.3f},"preemptions":{}}})",
                   absl::ToDoubleMilliseconds(usage.timings->queued),
                   absl::ToDoubleMilliseconds(usage.timings->prefill),
                   absl::ToDoubleMilliseconds(usage.timings->decode),
                   absl::ToDoubleMilliseconds(usage.timings->preempted),
                   usage.timings->preemptions);
  }
  out->push_back('}');
}

void AppendStopReason(const StopReason& reason, std::string* out) {
  if (const auto* text = std::get_if<std::string>(&reason)) return AppendJsonString(*text, out);
  const auto* id = std::get_if<TokenId>(&reason);
  out->append(id == nullptr ? "null" : fmt::format("{}", Value(*id)));
}

void AppendLogprobs(AnswerKind kind, const ChoicePiece& piece, std::string* out) {
  out->append(R"(,"logprobs":)");
  if (!piece.logprobs) {
    out->append("null");
  } else if (kind == AnswerKind::kChat) {
    out->append(ChatLogprobsJson(*piece.logprobs));
  } else {
    out->append(CompletionLogprobsJson(*piece.logprobs, piece.text_offset));
  }
}

void AppendEnd(const std::optional<ChoiceEnd>& end, std::string* out) {
  out->append(R"(,"finish_reason":)");
  if (!end) {
    out->append("null");
    return;
  }
  AppendJsonString(FinishReasonName(end->finish_reason), out);
  out->append(R"(,"stop_reason":)");
  AppendStopReason(end->stop_reason, out);
}

// Members of a chunk's delta. Tokens without a whole character yet come with an empty content.
std::string DeltaMembers(const TextDelta& delta) {
  std::string out;
  if (!delta.reasoning.empty()) {
    out.append(R"("reasoning_content":)");
    AppendJsonString(delta.reasoning, &out);
    if (!delta.content.empty()) out.push_back(',');
  }
  if (!delta.content.empty() || out.empty()) {
    out.append(R"("content":)");
    AppendJsonString(delta.content, &out);
  }
  return out;
}

// One chunk of a chat: `members` of its delta, logprobs and end of `piece`.
std::string ChatChunk(const AnswerHeader& header, const std::string& members,
                      const ChoicePiece& piece) {
  std::string out = Head(header, Whole::kNo);
  fmt::format_to(std::back_inserter(out), R"({{"index":{},"delta":{{{}}})", piece.index, members);
  AppendLogprobs(AnswerKind::kChat, piece, &out);
  AppendEnd(piece.end, &out);
  return DataEvent(out + "}]}");
}

void AppendCompletionChoice(const ChoicePiece& piece, std::string* out) {
  fmt::format_to(std::back_inserter(*out), R"({{"index":{},"text":)", piece.index);
  AppendJsonString(piece.text.content, out);
  AppendLogprobs(AnswerKind::kCompletion, piece, out);
  AppendEnd(piece.end, out);
  out->push_back('}');
}

void AppendChatChoice(const ChoicePiece& piece, std::string* out) {
  fmt::format_to(std::back_inserter(*out),
                 R"({{"index":{},"message":{{"role":"assistant","content":)", piece.index);
  AppendJsonString(piece.text.content, out);
  out->append(R"(,"reasoning_content":)");
  if (piece.text.reasoning.empty()) {
    out->append("null");
  } else {
    AppendJsonString(piece.text.reasoning, out);
  }
  out->push_back('}');
  AppendLogprobs(AnswerKind::kChat, piece, out);
  AppendEnd(piece.end, out);
  out->push_back('}');
}

}  // namespace

std::string DataEvent(const std::string& json) { return "data: " + json + "\n\n"; }

std::string BeginEvent(const AnswerHeader& header, int32_t index) {
  if (header.kind == AnswerKind::kCompletion) return "";
  return ChatChunk(header, R"("role":"assistant","content":"")", {.index = index});
}

std::string PieceEvents(const AnswerHeader& header, const ChoicePiece& piece) {
  const bool adds = !piece.text.empty() || (piece.logprobs && !piece.logprobs->empty());
  if (!adds && !piece.end) return "";
  if (header.kind == AnswerKind::kCompletion) {
    std::string out = Head(header, Whole::kNo);
    AppendCompletionChoice(piece, &out);
    return DataEvent(out + "]}");
  }
  // A chat's end has a chunk of its own.
  std::string events;
  if (adds) {
    events = ChatChunk(header, DeltaMembers(piece.text),
                       {.index = piece.index, .logprobs = piece.logprobs});
  }
  if (piece.end) events += ChatChunk(header, "", {.index = piece.index, .end = piece.end});
  return events;
}

std::string UsageEvent(const AnswerHeader& header, const Usage& usage) {
  std::string out = Head(header, Whole::kNo) + "],";
  AppendUsage(usage, &out);
  return DataEvent(out + "}");
}

std::string WholeAnswer(const AnswerHeader& header, std::span<const ChoicePiece> choices,
                        const Usage& usage) {
  std::string out = Head(header, Whole::kYes);
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) out.push_back(',');
    header.kind == AnswerKind::kChat ? AppendChatChoice(choices[i], &out)
                                     : AppendCompletionChoice(choices[i], &out);
  }
  out.append("],");
  AppendUsage(usage, &out);
  out.push_back('}');
  return out;
}

}  // namespace atl::coordinator
