#include "coordinator/generation/generation.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "common/log/log.h"

namespace atl::coordinator {
namespace {

// Of text in one write; as JSON it is a few times that, well within what the server lets wait.
constexpr size_t kWriteBytes = 64 << 10;

}  // namespace

Generation::Generation(const GenerationContext& context, GenerationId id,
                       std::unique_ptr<AnswerWriter> writer, AccessRecord record)
    : context_(context),
      id_(id),
      writer_(std::move(writer)),
      arrived_(context.clock.Now()),
      record_(std::move(record)),
      last_write_(arrived_) {
  record_.model = context_.model.name;
}

void Generation::Run(PreparedGeneration prepared) {
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
        context_.engine.Submit(std::move(request), context_.mailbox.MakeSink({id_, index}));
    if (!seq.ok()) {
      const ApiError error = ToApiError(seq.status());
      return Fail(error, RefusalOf(error));
    }
    sequences_.push_back({.id = *seq,
                          .choice = Choice(*context_.model.tokenizer, std::move(options)),
                          .prompt_length = prompt_length});
    ++ends_owed_;
  }
  context_.metrics.OnPrompt(record_.prompt_tokens);
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
  const auto now = context_.clock.Now();
  if (sequence->begun) {
    context_.metrics.OnNextToken(absl::ToChronoNanoseconds(now - sequence->last_token));
  } else if (!record_.first_token_ms) {
    context_.metrics.OnFirstToken(absl::ToChronoNanoseconds(now - arrived_));
    record_.first_token_ms = absl::ToDoubleMilliseconds(now - arrived_);
  }
  sequence->begun = true;
  sequence->last_token = now;
  context_.metrics.OnGenerated(static_cast<int64_t>(event.tokens.size()));
  sequence->choice.OnTokens(event.tokens, event.logprobs);
  if (sequence->choice.ended()) context_.engine.Cancel(sequence->id);  // by a stop string
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
  const bool timed_out =
      error.status == 503 && never_admitted && context_.engine.ready_state().ready;
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
    if (complete) RespondComplete();
    return;
  }
  while (writer_->backlog_bytes() <= context_.streams.backlog_bytes) {
    if (SendDeltas() == Left::kSome) continue;
    held_back_ = false;
    if (complete) EndStream();
    return;
  }
  const size_t waiting = WaitingBytes();
  held_back_ = complete || waiting > 0;
  if (waiting > context_.streams.waiting_bytes_max) DropSlowReader();
}

// As much as one write may hold.
Generation::Left Generation::SendDeltas() {
  Left left = Left::kNothing;
  for (Sequence& sequence : sequences_) {
    if (!sequence.begun && !sequence.choice.ended()) continue;
    if (!std::exchange(sequence.announced, true)) writer_->BeginChoice(sequence.choice.index());
    while (sequence.choice.has_delta() && writer_->gathered_bytes() < kWriteBytes) {
      writer_->AddDelta(sequence.choice.TakeDelta(kWriteBytes));
    }
    if (sequence.choice.has_delta()) left = Left::kSome;
  }
  // The status goes out with the first tokens, so that what fails before them gets its own.
  if (writer_->gathered_bytes() > 0) {
    OnWrite();
    writer_->Send();
  }
  return left;
}

void Generation::EndStream() {
  OnWrite();
  writer_->EndStream(include_usage_ ? std::optional(UsageSoFar()) : std::nullopt);
  Close(200);
}

void Generation::RespondComplete() {
  std::vector<ChoiceDelta> deltas;
  for (Sequence& sequence : sequences_) {
    deltas.push_back(sequence.choice.TakeDelta(std::numeric_limits<size_t>::max()));
  }
  writer_->WriteComplete(deltas, UsageSoFar());
  Close(200);
}

void Generation::OnWrite() {
  if (!std::exchange(stream_begun_, true)) context_.metrics.OnStreamBegun();
  last_write_ = context_.clock.Now();
}

void Generation::Fail(const ApiError& error, Refusal why) {
  CancelAll();
  writer_->WriteError(error, context_.engine.RetryAfter());
  stream_begun_ ? context_.metrics.OnStreamBroken() : context_.metrics.OnRefused(why);
  Close(error.status);
}

void Generation::DropSlowReader() {
  CancelAll();
  writer_->WriteError({.status = kClientLeft,
                       .message = "The stream was ended because its client did not read on.",
                       .code = "slow_reader"},
                      absl::ZeroDuration());
  context_.metrics.OnSlowReaderDropped();
  Close(kClientLeft);
}

void Generation::OnGone() {
  if (state_ == State::kResponded) return;
  CancelAll();
  held_back_ ? context_.metrics.OnSlowReaderDropped() : context_.metrics.OnClientLeft();
  Close(kClientLeft);
}

void Generation::CancelAll() {
  for (const Sequence& sequence : sequences_) {
    if (!sequence.ended && !sequence.choice.ended()) context_.engine.Cancel(sequence.id);
  }
}

// The answer is out, or there will be none.
void Generation::Close(int status) {
  const absl::Duration duration = context_.clock.Now() - arrived_;
  const Usage usage = UsageSoFar();
  record_.status = status;
  record_.response_bytes = writer_->bytes_written();
  record_.completion_tokens = usage.completion_tokens;
  record_.duration_ms = absl::ToDoubleMilliseconds(duration);
  const FinishReason cut = status == kClientLeft ? FinishReason::kCancelled : FinishReason::kError;
  for (const Sequence& sequence : sequences_) {
    const FinishReason reason = sequence.choice.finish_reason().value_or(cut);
    record_.finish_reasons.push_back(reason);
    context_.metrics.OnFinish(reason);
  }
  if (status == 200) {
    context_.metrics.OnGeneration(absl::ToChronoNanoseconds(duration), record_.prompt_tokens,
                                  usage.completion_tokens);
  }
  if (stream_begun_) context_.metrics.OnStreamOver();
  context_.metrics.OnResponse(record_.endpoint, status);
  state_ = State::kResponded;
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
  timings_.queued = std::max(timings_.queued, timings.queued);
  timings_.prefill = std::max(timings_.prefill, timings.prefill);
  timings_.decode = std::max(timings_.decode, timings.decode);
  timings_.preempted = std::max(timings_.preempted, timings.preempted);
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
  if (state_ != State::kRunning) return;
  if (context_.clock.Now() - last_write_ < absl::FromChrono(context_.streams.comment_after)) return;
  if (writer_->backlog_bytes() > context_.streams.backlog_bytes) return;
  OnWrite();
  writer_->KeepAlive(Progress());
  context_.metrics.OnComment();
}

StreamProgress Generation::Progress() const {
  StreamProgress progress;
  for (const Sequence& sequence : sequences_) {
    progress.answering = progress.answering || sequence.begun;
    progress.prompt_done += sequence.prompt_done;
    progress.prompt_tokens += sequence.prompt_length;
  }
  return progress;
}

}  // namespace atl::coordinator
