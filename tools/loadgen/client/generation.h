// One planned request on its way: what is sent, what is measured and checked of its answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tools/loadgen/client/client_loop.h"
#include "tools/loadgen/client/request_record.h"
#include "tools/loadgen/client/sse_parser.h"
#include "tools/loadgen/client/stream_check.h"
#include "tools/loadgen/client/text_book.h"
#include "tools/loadgen/plan/load_plan.h"

namespace atl::tools {

// What the generations of one run share.
class GenerationSink {
 public:
  virtual ~GenerationSink() = default;
  virtual void OnFirstText(double ttft_ms) = 0;
  virtual void OnDelta() = 0;
  virtual void OnRecord(RequestRecord record) = 0;  // once, last
};

struct GenerationContext {
  const LoadPlan& plan;
  GenerationSink& sink;
  TextBook* texts = nullptr;  // null: answers are not compared
  ClientClock::time_point run_began;
};

// The bytes of the HTTP request for `request`.
std::string RequestBytes(const LoadOptions& options, const std::string& body);

class Generation : public CallObserver {
 public:
  Generation(const GenerationContext& context, PlannedRequest request, double lag_ms);

  void OnConnected(ClientClock::time_point now) override;
  void OnHead(const AnswerFacts& facts, ClientClock::time_point now) override;
  AfterBytes OnBody(std::string_view bytes, ClientClock::time_point now) override;
  void OnEnd(const absl::Status& status, ClientClock::time_point now) override;

 private:
  double SinceBegin(ClientClock::time_point now) const;
  absl::Status TakeEvents(ClientClock::time_point now);
  void OnText(ClientClock::time_point now);
  void Judge(const absl::Status& status);
  void JudgeHttpError();
  void CompareText(Received received);
  void Fail(std::string kind, std::string sentence);

  const GenerationContext context_;
  const PlannedRequest request_;
  const ClientClock::time_point began_;
  RequestRecord record_;
  SseParser events_;
  StreamCheck check_;
  absl::Status mistake_;  // of the stream
  bool is_stream_ = false;
  bool hung_up_ = false;  // as planned
  ClientClock::time_point last_text_;
  std::string error_body_;  // of an answer that is no stream
};

}  // namespace atl::tools
