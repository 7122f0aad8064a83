#include "coordinator/api/openai/answer_format.h"

#include <fmt/format.h>

#include <iterator>

#include "common/step/finish_reason.h"
#include "common/text/json_text.h"
#include "coordinator/api/openai/logprobs_format.h"

namespace atl::coordinator {
namespace {

enum class Complete : bool { kNo, kYes };

const char* ObjectName(ResponseKind kind, Complete complete) {
  if (kind == ResponseKind::kCompletion) return "text_completion";
  return complete == Complete::kYes ? "chat.completion" : "chat.completion.chunk";
}

// `{"id":…,"object":…,"created":…,"model":…,"choices":[`
std::string Head(const ResponseHeader& header, Complete complete) {
  std::string out = R"({"id":)";
  AppendJsonString(header.id, &out);
  fmt::format_to(std::back_inserter(out), R"(,"object":"{}","created":{},"model":)",
                 ObjectName(header.kind, complete), header.created_unix_s);
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

void AppendLogprobs(ResponseKind kind, const ChoiceDelta& delta, std::string* out) {
  out->append(R"(,"logprobs":)");
  if (!delta.logprobs) {
    out->append("null");
  } else if (kind == ResponseKind::kChat) {
    out->append(ChatLogprobsJson(*delta.logprobs));
  } else {
    out->append(CompletionLogprobsJson(*delta.logprobs, delta.text_offset));
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

// One chunk of a chat: `members` of its delta, logprobs and end of `delta`.
std::string ChatChunk(const ResponseHeader& header, const std::string& members,
                      const ChoiceDelta& delta) {
  std::string out = Head(header, Complete::kNo);
  fmt::format_to(std::back_inserter(out), R"({{"index":{},"delta":{{{}}})", delta.index, members);
  AppendLogprobs(ResponseKind::kChat, delta, &out);
  AppendEnd(delta.end, &out);
  return DataEvent(out + "}]}");
}

void AppendCompletionChoice(const ChoiceDelta& delta, std::string* out) {
  fmt::format_to(std::back_inserter(*out), R"({{"index":{},"text":)", delta.index);
  AppendJsonString(delta.text.content, out);
  AppendLogprobs(ResponseKind::kCompletion, delta, out);
  AppendEnd(delta.end, out);
  out->push_back('}');
}

void AppendChatChoice(const ChoiceDelta& delta, std::string* out) {
  fmt::format_to(std::back_inserter(*out),
                 R"({{"index":{},"message":{{"role":"assistant","content":)", delta.index);
  AppendJsonString(delta.text.content, out);
  out->append(R"(,"reasoning_content":)");
  if (delta.text.reasoning.empty()) {
    out->append("null");
  } else {
    AppendJsonString(delta.text.reasoning, out);
  }
  out->push_back('}');
  AppendLogprobs(ResponseKind::kChat, delta, out);
  AppendEnd(delta.end, out);
  out->push_back('}');
}

}  // namespace

std::string DataEvent(const std::string& json) { return "data: " + json + "\n\n"; }

std::string BeginEvent(const ResponseHeader& header, int32_t index) {
  if (header.kind == ResponseKind::kCompletion) return "";
  return ChatChunk(header, R"("role":"assistant","content":"")", {.index = index});
}

std::string DeltaEvents(const ResponseHeader& header, const ChoiceDelta& delta) {
  const bool adds = !delta.text.empty() || (delta.logprobs && !delta.logprobs->empty());
  if (!adds && !delta.end) return "";
  if (header.kind == ResponseKind::kCompletion) {
    std::string out = Head(header, Complete::kNo);
    AppendCompletionChoice(delta, &out);
    return DataEvent(out + "]}");
  }
  // A chat's end has a chunk of its own.
  std::string events;
  if (adds) {
    events = ChatChunk(header, DeltaMembers(delta.text),
                       {.index = delta.index, .logprobs = delta.logprobs});
  }
  if (delta.end) events += ChatChunk(header, "", {.index = delta.index, .end = delta.end});
  return events;
}

std::string UsageEvent(const ResponseHeader& header, const Usage& usage) {
  std::string out = Head(header, Complete::kNo) + "],";
  AppendUsage(usage, &out);
  return DataEvent(out + "}");
}

std::string CompleteResponse(const ResponseHeader& header, std::span<const ChoiceDelta> choices,
                             const Usage& usage) {
  std::string out = Head(header, Complete::kYes);
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) out.push_back(',');
    header.kind == ResponseKind::kChat ? AppendChatChoice(choices[i], &out)
                                       : AppendCompletionChoice(choices[i], &out);
  }
  out.append("],");
  AppendUsage(usage, &out);
  out.push_back('}');
  return out;
}

}  // namespace atl::coordinator
