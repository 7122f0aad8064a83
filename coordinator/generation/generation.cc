#include "coordinator/generation/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "common/log/log.h"
#include "coordinator/api/openai/error_answer.h"

namespace atl::coordinator {
namespace {

constexpr const char* kEventStream = "text/event-stream; charset=utf-8";
constexpr int kClientLeft = 499;  // for metrics and the access log alone
// Of text in one write; as JSON it is a few times that, well within what the server lets wait.
constexpr size_t kWriteBytes = 64 << 10;

AnswerFinish FinishOf(const std::string& finish_reason) {
  return finish_reason == "length" ? AnswerFinish::kLength : AnswerFinish::kStop;
}

}  // namespace

Generation::Generation(const GenerationHost& host, ExchangeId exchange, AccessRecord record)
    : host_(host),
      exchange_(exchange),
      arrived_(host.clock.Now()),
      record_(std::move(record)),
      last_write_(arrived_) {
  record_.model = host_.model.name;
}

void Generation::Run(PreparedGeneration prepared, std::string answer_id) {
  header_ = {.kind = prepared.kind,
             .id = std::move(answer_id),
             .model = host_.model.name,
             .created_unix_s = std::chrono::duration_cast<std::chrono::seconds>(
                                   record_.arrived.time_since_epoch())
                                   .count()};
  streamed_ = record_.stream = prepared.stream;
  include_usage_ = prepared.include_usage;
  include_timings_ = prepared.include_timings;
  record_.prompt_tokens = prepared.prompt_tokens;
  state_ = State::kRunning;
  for (PreparedChoice& choice : prepared.choices) {
    const auto index = static_cast<int32_t>(sequences_.size());
    Request& request = choice.request;
    ChoiceOptions options{.index = index,
                          .response = prepared.response,
                          .stop_token_ids = prepared.stop_token_ids,
                          .logprobs = request.top_logprobs >= 0,
                          .echo = std::move(choice.echo),
                          .echo_ids = {},
                          .echo_only = prepared.echo_only};
    if (request.prompt_logprobs) options.echo_ids = request.prompt;
    const auto prompt_length = static_cast<int64_t>(request.prompt.size());
    const auto seq =
        host_.engine.Submit(std::move(request), host_.mailbox.MakeSink({exchange_, index}));
    if (!seq.ok()) {
      const ApiError error = ToApiError(seq.status());
      return Fail(error, RefusalOf(error));
    }
    sequences_.push_back({.id = *seq,
                          .choice = Choice(*host_.model.tokenizer, std::move(options)),
                          .prompt_length = prompt_length});
    ++ends_owed_;
  }
  host_.metrics.OnPrompt(record_.prompt_tokens);
}

void Generation::OnEvent(const EngineEvent& event) {
  Sequence& sequence = sequences_[static_cast<size_t>(event.choice.index)];
  if (event.end) return OnEnd(&sequence, *event.end);
  if (state_ != State::kRunning || sequence.choice.ended()) return;
  if (!event.tokens.empty()) return OnTokens(&sequence, event);
  sequence.prompt_done = event.prompt_done;
  sequence.choice.OnPrompt(event.logprobs);
}

void Generation::OnTokens(Sequence* sequence, const EngineEvent& event) {
  const auto now = host_.clock.Now();
  if (sequence->begun) {
    host_.metrics.OnNextToken(absl::ToChronoNanoseconds(now - sequence->last_token));
  } else if (!record_.first_token_ms) {
    host_.metrics.OnFirstToken(absl::ToChronoNanoseconds(now - arrived_));
    record_.first_token_ms = absl::ToDoubleMilliseconds(now - arrived_);
  }
  sequence->begun = true;
  sequence->last_token = now;
  host_.metrics.OnGenerated(static_cast<int64_t>(event.tokens.size()));
  sequence->choice.OnTokens(event.tokens, event.logprobs);
  if (sequence->choice.ended()) host_.engine.Cancel(sequence->id);  // by a stop string
}

void Generation::OnEnd(Sequence* sequence, const RequestEnd& end) {
  sequence->ended = true;
  --ends_owed_;
  NoteTimings(end.timings);
  if (state_ != State::kRunning || sequence->choice.ended()) return;
  if (end.reason == FinishReason::kStop || end.reason == FinishReason::kLength) {
    return sequence->choice.OnEnd(end.reason);
  }
  const ApiError error = ToApiError(end.reason == FinishReason::kCancelled
                                        ? Unavailable("The request was cancelled by the server.")
                                        : end.status);
  // The client is not told what went wrong inside: the log is.
  if (error.status == 500) LOG_ERROR("an answer was lost: {}", end.status.ToString());
  const bool never_admitted = sequence->prompt_done == 0 && !sequence->begun;
  const bool timed_out = error.status == 503 && never_admitted && host_.engine.ready_state().ready;
  Fail(error, timed_out ? Refusal::kQueueTimeout : RefusalOf(error));
}

// With timings the answer waits for the engine's word on each sequence.
bool Generation::Complete() const {
  return std::all_of(sequences_.begin(), sequences_.end(), [this](const Sequence& sequence) {
    return sequence.choice.ended() && (sequence.ended || !include_timings_);
  });
}

void Generation::Flush() {
  if (state_ != State::kRunning) return;
  const bool complete = Complete();
  if (!streamed_) {
    if (complete) AnswerWhole();
    return;
  }
  while (host_.server.Backlog(exchange_) <= host_.streams.backlog_bytes) {
    if (SendPieces() == Left::kSome) continue;
    held_back_ = false;
    if (complete) EndStream();
    return;
  }
  const size_t waiting = WaitingBytes();
  held_back_ = complete || waiting > 0;
  if (waiting > host_.streams.waiting_bytes_max) DropSlowReader();
}

// As much as one write may hold.
Generation::Left Generation::SendPieces() {
  std::string events;
  Left left = Left::kNothing;
  for (Sequence& sequence : sequences_) {
    if (!sequence.begun && !sequence.choice.ended()) continue;
    if (!std::exchange(sequence.announced, true)) {
      events += BeginEvent(header_, sequence.choice.index());
    }
    while (sequence.choice.has_piece() && events.size() < kWriteBytes) {
      events += PieceEvents(header_, sequence.choice.TakePiece(kWriteBytes));
    }
    if (sequence.choice.has_piece()) left = Left::kSome;
  }
  // The status goes out with the first tokens, so that what fails before them gets its own.
  if (!events.empty()) Write(events);
  return left;
}

void Generation::EndStream() {
  Write((include_usage_ ? UsageEvent(header_, UsageSoFar()) : "") + kDoneEvent);
  host_.server.EndStream(exchange_);
  Close(200);
}

void Generation::AnswerWhole() {
  std::vector<ChoicePiece> pieces;
  for (Sequence& sequence : sequences_) {
    pieces.push_back(sequence.choice.TakePiece(std::numeric_limits<size_t>::max()));
  }
  HttpAnswer answer{.body = WholeAnswer(header_, pieces, UsageSoFar()),
                    .headers = {{"X-Request-Id", record_.request_id}}};
  record_.answer_bytes = static_cast<int64_t>(answer.body.size());
  host_.server.Answer(exchange_, answer);
  Close(200);
}

void Generation::BeginStream() {
  if (std::exchange(stream_begun_, true)) return;
  host_.server.BeginStream(exchange_, kEventStream, {{"X-Request-Id", record_.request_id}});
  host_.metrics.OnStreamBegun();
}

void Generation::Write(const std::string& bytes) {
  BeginStream();
  host_.server.Write(exchange_, bytes);
  record_.answer_bytes += static_cast<int64_t>(bytes.size());
  last_write_ = host_.clock.Now();
}

void Generation::Fail(const ApiError& error, Refusal why) {
  CancelAll();
  if (stream_begun_) {
    Write(DataEvent(ToJson(error)) + kDoneEvent);
    host_.server.EndStream(exchange_);
    host_.metrics.OnStreamBroken();
  } else {
    HttpAnswer answer = ErrorAnswer(error, host_.engine);
    answer.headers.emplace_back("X-Request-Id", record_.request_id);
    record_.answer_bytes = static_cast<int64_t>(answer.body.size());
    host_.server.Answer(exchange_, answer);
    host_.metrics.OnRefused(why);
  }
  Close(error.status);
}

void Generation::DropSlowReader() {
  CancelAll();
  Write(DataEvent(ToJson({.status = kClientLeft,
                          .message = "The stream was ended because its client did not read on.",
                          .code = "slow_reader"})) +
        kDoneEvent);
  host_.server.EndStream(exchange_);
  host_.metrics.OnSlowReaderDropped();
  Close(kClientLeft);
}

void Generation::OnGone() {
  if (state_ == State::kAnswered) return;
  CancelAll();
  held_back_ ? host_.metrics.OnSlowReaderDropped() : host_.metrics.OnClientLeft();
  Close(kClientLeft);
}

void Generation::CancelAll() {
  for (const Sequence& sequence : sequences_) {
    if (!sequence.ended && !sequence.choice.ended()) host_.engine.Cancel(sequence.id);
  }
}

// The answer is out, or there will be none.
void Generation::Close(int status) {
  const absl::Duration duration = host_.clock.Now() - arrived_;
  const Usage usage = UsageSoFar();
  record_.status = status;
  record_.completion_tokens = usage.completion_tokens;
  record_.duration_ms = absl::ToDoubleMilliseconds(duration);
  for (const Sequence& sequence : sequences_) {
    const std::string& reason = sequence.choice.finish_reason();
    const bool left = status == kClientLeft;
    record_.finish_reasons.push_back(!reason.empty() ? reason : left ? "cancelled" : "error");
    host_.metrics.OnFinish(!reason.empty() ? FinishOf(reason)
                           : left          ? AnswerFinish::kCancelled
                                           : AnswerFinish::kError);
  }
  if (status == 200) {
    host_.metrics.OnGeneration(absl::ToChronoNanoseconds(duration), record_.prompt_tokens,
                               usage.completion_tokens);
  }
  if (stream_begun_) host_.metrics.OnStreamOver();
  host_.metrics.OnAnswer(record_.endpoint, status);
  state_ = State::kAnswered;
}

Usage Generation::UsageSoFar() const {
  Usage usage{.prompt_tokens = record_.prompt_tokens};
  for (const Sequence& sequence : sequences_) {
    usage.completion_tokens += sequence.choice.num_tokens();
  }
  if (include_timings_) usage.timings = timings_;
  return usage;
}

void Generation::NoteTimings(const RequestTimings& timings) {
  const auto longest = [](absl::Duration one, double* ms) {
    *ms = std::max(*ms, absl::ToDoubleMilliseconds(one));
  };
  longest(timings.queued, &timings_.queued_ms);
  longest(timings.prefill, &timings_.prefill_ms);
  longest(timings.decode, &timings_.decode_ms);
  longest(timings.preempted, &timings_.preempted_ms);
  timings_.preemptions += timings.preemptions;
  record_.timings = timings_;
}

size_t Generation::WaitingBytes() const {
  size_t bytes = 0;
  for (const Sequence& sequence : sequences_) bytes += sequence.choice.waiting_bytes();
  return bytes;
}

void Generation::OnTick() {
  if (state_ != State::kRunning || !streamed_) return;
  Flush();
  if (state_ != State::kRunning ||
      host_.clock.Now() - last_write_ < absl::FromChrono(host_.streams.comment_after))
    return;
  if (host_.server.Backlog(exchange_) > host_.streams.backlog_bytes) return;
  Write(Comment());
  host_.metrics.OnComment();
}

std::string Generation::Comment() const {
  int64_t done = 0;
  int64_t total = 0;
  for (const Sequence& sequence : sequences_) {
    if (sequence.begun) return ": alive\n\n";
    done += sequence.prompt_done;
    total += sequence.prompt_length;
  }
  return done == 0 ? ": waiting\n\n" : fmt::format(": prefill {}/{}\n\n", done, total);
}

}  // namespace atl::coordinator
