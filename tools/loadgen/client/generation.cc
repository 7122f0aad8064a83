#include "tools/loadgen/client/generation.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "common/text/printable.h"

namespace atl::tools {
namespace {

constexpr size_t kErrorBodyMax = 64 << 10;
constexpr size_t kErrorShown = 300;

double Milliseconds(ClientClock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string KindOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      return "timeout";
    case absl::StatusCode::kDataLoss:
      return "protocol";
    case absl::StatusCode::kInternal:
      return "stream";
    case absl::StatusCode::kCancelled:
      return "unfinished";
    default:
      return "connection";
  }
}

}  // namespace

std::string RequestBytes(const LoadOptions& options, const std::string& body) {
  std::string bytes = fmt::format(
      "POST {}/v1/{} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n"
      "Accept: text/event-stream\r\nContent-Length: {}\r\n",
      options.endpoint.base_path,
      options.api == ApiKind::kChat ? "chat/completions" : "completions",
      options.endpoint.HostHeader(), body.size());
  for (const std::string& header : options.headers) bytes += header + "\r\n";
  return bytes + "\r\n" + body;
}

Generation::Generation(const GenerationContext& context, PlannedRequest request, double lag_ms)
    : context_(context),
      request_(std::move(request)),
      began_(ClientClock::now()),
      check_({.api = context.plan.options().api,
              .max_tokens = request_.max_tokens,
              .ignores_eos = context.plan.options().ignore_eos}) {
  record_.index = request_.index;
  record_.reader = request_.reader;
  record_.begin_s = Milliseconds(began_ - context_.run_began) / 1000;
  record_.lag_ms = lag_ms;
}

double Generation::SinceBegin(ClientClock::time_point now) const {
  return Milliseconds(now - began_);
}

void Generation::OnConnected(ClientClock::time_point now) { record_.connect_ms = SinceBegin(now); }

void Generation::OnHead(const AnswerFacts& facts, ClientClock::time_point now) {
  record_.first_byte_ms = SinceBegin(now);
  record_.status = facts.status;
  if (facts.retry_after_s) record_.retry_after_s = *facts.retry_after_s;
  is_stream_ = facts.status == 200 && facts.content_type.starts_with("text/event-stream");
}

AfterBytes Generation::OnBody(std::string_view bytes, ClientClock::time_point now) {
  if (!is_stream_) {
    error_body_ += bytes.substr(0, kErrorBodyMax - std::min(kErrorBodyMax, error_body_.size()));
    return AfterBytes::kGoOn;
  }
  events_.Append(bytes);
  mistake_ = TakeEvents(now);
  return mistake_.ok() && !hung_up_ ? AfterBytes::kGoOn : AfterBytes::kHangUp;
}

absl::Status Generation::TakeEvents(ClientClock::time_point now) {
  while (!hung_up_) {
    ATOLL_ASSIGN_OR_RETURN(const auto data, events_.Next());
    if (!data) break;
    ATOLL_ASSIGN_OR_RETURN(const StreamEvent event, check_.Take(*data));
    if (event == StreamEvent::kText) OnText(now);
  }
  return absl::OkStatus();
}

void Generation::OnText(ClientClock::time_point now) {
  if (record_.num_deltas == 0) {
    record_.ttft_ms = SinceBegin(now);
    context_.sink.OnFirstText(record_.ttft_ms);
  } else {
    record_.gaps_ms.push_back(static_cast<float>(Milliseconds(now - last_text_)));
  }
  last_text_ = now;
  ++record_.num_deltas;
  context_.sink.OnDelta();
  hung_up_ = request_.reader == Reader::kCancels && record_.num_deltas >= request_.cancel_after;
}

void Generation::OnEnd(const absl::Status& status, ClientClock::time_point now) {
  record_.end_ms = SinceBegin(now);
  if (check_.usage()) {
    record_.prompt_tokens = check_.usage()->prompt_tokens;
    record_.completion_tokens = check_.usage()->completion_tokens;
  } else {
    record_.completion_tokens = record_.num_deltas;
  }
  Judge(status);
  context_.sink.OnRecord(std::move(record_));
}

void Generation::Judge(const absl::Status& status) {
  if (!mistake_.ok()) return Fail(KindOf(mistake_), MessageOf(mistake_));
  if (hung_up_) {
    record_.outcome = Outcome::kCancelled;
    return CompareText(Received::kBeginning);
  }
  if (request_.reader == Reader::kSlow && absl::IsUnavailable(status)) {
    record_.outcome = Outcome::kDropped;
    return CompareText(Received::kBeginning);
  }
  if (!status.ok()) return Fail(KindOf(status), MessageOf(status));
  if (!is_stream_) return JudgeHttpError();
  absl::Status finished = events_.Finish();
  if (finished.ok()) finished = check_.Finish();
  if (!finished.ok()) return Fail(KindOf(finished), MessageOf(finished));
  record_.outcome = Outcome::kDone;
  CompareText(Received::kComplete);
}

void Generation::JudgeHttpError() {
  if (record_.status == 429 || record_.status == 503) {
    record_.outcome = Outcome::kRefused;
    return;
  }
  const std::string shown = Printable(error_body_, kErrorShown);
  if (record_.status == 200) return Fail("protocol", "the answer is no event stream: " + shown);
  Fail(fmt::format("http_{}", record_.status), shown);
}

void Generation::CompareText(Received received) {
  if (context_.texts == nullptr) return;
  if (auto difference = context_.texts->Compare(request_, check_.answers(), received)) {
    Fail("text", std::move(*difference));
  }
}

void Generation::Fail(std::string kind, std::string sentence) {
  record_.outcome = Outcome::kFailed;
  record_.error_kind = std::move(kind);
  record_.error = std::move(sentence);
}

}  // namespace atl::tools
