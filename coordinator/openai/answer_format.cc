#include "coordinator/openai/answer_format.h"

#include <fmt/format.h>

#include "coordinator/openai/json_text.h"

namespace atl {
namespace {

std::string Head(const AnswerHeader& header, const char* object) {
  return fmt::format(R"({{"id":{},"object":"{}","created":{},"model":{})", JsonString(header.id),
                     object, header.created_unix_s, JsonString(header.model));
}

std::string ChunkEvent(const AnswerHeader& header, const std::string& delta,
                       const std::string& finish_reason) {
  return DataEvent(fmt::format(
      R"({},"choices":[{{"index":0,"delta":{{{}}},"logprobs":null,"finish_reason":{}}}]}})",
      Head(header, "chat.completion.chunk"), delta,
      finish_reason.empty() ? "null" : JsonString(finish_reason)));
}

std::string UsageJson(const Usage& usage) {
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{}}})",
                     usage.prompt_tokens, usage.completion_tokens,
                     usage.prompt_tokens + usage.completion_tokens);
}

}  // namespace

std::string DataEvent(const std::string& json) { return "data: " + json + "\n\n"; }

std::string RoleEvent(const AnswerHeader& header) {
  return ChunkEvent(header, R"("role":"assistant","content":"")", "");
}

std::string DeltaEvents(const AnswerHeader& header, const AnswerDelta& delta) {
  std::string events;
  if (!delta.reasoning.empty()) {
    events += ChunkEvent(header, R"("reasoning_content":)" + JsonString(delta.reasoning), "");
  }
  if (!delta.content.empty()) {
    events += ChunkEvent(header, R"("content":)" + JsonString(delta.content), "");
  }
  return events;
}

std::string FinishEvent(const AnswerHeader& header, const std::string& finish_reason) {
  return ChunkEvent(header, "", finish_reason);
}

std::string UsageEvent(const AnswerHeader& header, const Usage& usage) {
  return DataEvent(fmt::format(R"({},"choices":[],"usage":{}}})",
                               Head(header, "chat.completion.chunk"), UsageJson(usage)));
}

std::string WholeAnswer(const AnswerHeader& header, const AnswerDelta& text,
                        const std::string& finish_reason, const Usage& usage) {
  const std::string reasoning = text.reasoning.empty() ? "null" : JsonString(text.reasoning);
  return fmt::format(
      R"({},"choices":[{{"index":0,"message":{{"role":"assistant","content":{},)"
      R"("reasoning_content":{}}},"logprobs":null,"finish_reason":{}}}],"usage":{}}})",
      Head(header, "chat.completion"), JsonString(text.content), reasoning,
      JsonString(finish_reason), UsageJson(usage));
}

}  // namespace atl
