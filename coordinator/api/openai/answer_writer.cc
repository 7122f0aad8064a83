#include "coordinator/api/openai/answer_writer.h"

#include <fmt/format.h>

#include <utility>

#include "coordinator/api/openai/answer_format.h"
#include "coordinator/api/openai/error_response.h"
#include "coordinator/api/openai/request/error_json.h"

namespace atl::coordinator {
namespace {

class OpenAiWriter : public AnswerWriter {
 public:
  OpenAiWriter(ResponseWriter response, ResponseHeader header)
      : response_(std::move(response)), header_(std::move(header)) {}

  void WriteComplete(std::span<const ChoiceDelta> choices, const Usage& usage) override {
    response_.Respond({.body = CompleteResponse(header_, choices, usage)});
  }

  void BeginChoice(int32_t index) override { gathered_ += BeginEvent(header_, index); }
  void AddDelta(const ChoiceDelta& delta) override { gathered_ += DeltaEvents(header_, delta); }
  size_t gathered_bytes() const override { return gathered_.size(); }
  void Send() override { response_.Write(std::exchange(gathered_, {})); }

  // A comment: clients skip it.
  void KeepAlive(const StreamProgress& progress) override {
    if (progress.answering) return response_.Write(": alive\n\n");
    if (progress.prompt_done == 0) return response_.Write(": waiting\n\n");
    response_.Write(
        fmt::format(": prefill {}/{}\n\n", progress.prompt_done, progress.prompt_tokens));
  }

  void EndStream(const std::optional<Usage>& usage) override {
    response_.Write((usage ? UsageEvent(header_, *usage) : "") + kDoneEvent);
    response_.EndStream();
  }

  void WriteError(const ApiError& error, absl::Duration retry_after) override {
    if (!response_.stream_begun()) return response_.Respond(ErrorResponse(error, retry_after));
    response_.Write(DataEvent(ToJson(error)) + kDoneEvent);
    response_.EndStream();
  }

  int64_t bytes_written() const override { return response_.bytes_written(); }
  size_t backlog_bytes() const override { return response_.backlog_bytes(); }

 private:
  ResponseWriter response_;
  const ResponseHeader header_;
  std::string gathered_;
};

std::unique_ptr<AnswerWriter> MakeWriter(ResponseKind kind, ResponseWriter response,
                                         const AnswerOrigin& origin) {
  const char* prefix = kind == ResponseKind::kChat ? "chatcmpl-" : "cmpl-";
  return std::make_unique<OpenAiWriter>(std::move(response),
                                        ResponseHeader{.kind = kind,
                                                       .id = prefix + origin.call_name,
                                                       .model = origin.model,
                                                       .created_unix_s = origin.created_unix_s});
}

}  // namespace

std::unique_ptr<AnswerWriter> MakeChatWriter(ResponseWriter response, const AnswerOrigin& origin) {
  return MakeWriter(ResponseKind::kChat, std::move(response), origin);
}

std::unique_ptr<AnswerWriter> MakeCompletionWriter(ResponseWriter response,
                                                   const AnswerOrigin& origin) {
  return MakeWriter(ResponseKind::kCompletion, std::move(response), origin);
}

}  // namespace atl::coordinator
