#include "coordinator/engine/epoch_run.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/log/log.h"

namespace atl::coordinator {
namespace {

StepKind KindOf(const PlannedStep& step) {
  if (step.prefill_rows == 0) return StepKind::kDecode;
  return step.decode_rows == 0 ? StepKind::kPrefill : StepKind::kMixed;
}

// How often the log tells of a prompt that takes long.
constexpr absl::Duration kProgressInterval = absl::Seconds(10);

// "40,960"
std::string Grouped(int64_t count) {
  if (count < 1000) return std::to_string(count);
  return fmt::format("{},{:03}", Grouped(count / 1000), count % 1000);
}

}  // namespace

EpochRun::EpochRun(EpochRunArgs args, WorkerChannel& channel, EngineObserver& observer,
                   Inbox& inbox)
    : args_(std::move(args)),
      channel_(channel),
      observer_(observer),
      inbox_(inbox),
      scheduler_(args_.scheduler, args_.epoch, args_.homes) {
  CHECK(args_.workers.size() == args_.homes.size());
}

void EpochRun::Add(Submission submission) {
  const MonotonicTime now = args_.clock->Now();
  if (clients_.empty()) retry_.OnBusy(now);
  // The plan alone decides what is sampled, so a seed that the client did not give is drawn here.
  if (!submission.request.seed) submission.request.seed = args_.make_seed();
  const auto prompt_tokens = static_cast<int64_t>(submission.request.prompt.size());
  clients_.insert({submission.id, Client{.sink = std::move(submission.sink),
                                         .clock = RequestClock(now),
                                         .prompt_tokens = prompt_tokens,
                                         .progress_reported = now}});
  if (args_.queue_timeout != absl::InfiniteDuration()) {
    queue_limits_.push_back({now + args_.queue_timeout, submission.id});
  }
  scheduler_.Add(submission.id, std::move(submission.request));
}

void EpochRun::Cancel(SeqId seq) {
  if (!scheduler_.Remove(seq)) return;  // it has just ended
  Finish(seq, FinishReason::kCancelled, absl::OkStatus());
}

void EpochRun::Expire() {
  while (!queue_limits_.empty()) {
    const QueueLimit limit = queue_limits_.front();
    const auto client = clients_.find(limit.seq);
    const bool waits = client != clients_.end() && !client->second.clock.started();
    if (waits && args_.clock->Now() < limit.due) return;
    queue_limits_.pop_front();
    if (!waits) continue;
    scheduler_.Remove(limit.seq);
    Finish(limit.seq, FinishReason::kError,
           Unavailable("the request waited {:.0f} s in the queue, which is as long as one may; try "
                       "again later",
                       absl::ToDoubleSeconds(args_.queue_timeout)));
  }
}

MonotonicTime EpochRun::next_expiry() const {
  return queue_limits_.empty() ? MonotonicTime::InfiniteFuture() : queue_limits_.front().due;
}

void EpochRun::PlanAhead() {
  while (static_cast<int32_t>(in_flight_.size()) < args_.steps_in_flight) {
    const std::optional<PlannedStep> step = scheduler_.PlanStep();
    if (!step) break;
    Send(*step);
  }
  const int32_t num_waiting = scheduler_.num_waiting();
  inbox_.PublishWaiting(num_waiting, retry_.Until(num_waiting, args_.clock->Now()));
}

void EpochRun::Send(const PlannedStep& step) {
  StepInFlight& entry = in_flight_.emplace_back();
  entry.summary = {.step = step.plans[0].step,
                   .kind = KindOf(step),
                   .planned_rows = step.decode_rows + step.prefill_rows,
                   .decode_rows = step.decode_rows,
                   .prefill_rows = step.prefill_rows,
                   .planned_sequences = step.num_sequences,
                   .predicted = absl::Microseconds(step.predicted_us)};
  entry.shapes = step.shapes;
  entry.sent = args_.clock->Now();
  entry.reported.resize(args_.workers.size());
  for (size_t rank = 0; rank < args_.workers.size(); ++rank) {
    channel_.SendPlan(args_.workers[rank], step.plans[rank]);
  }
  NotePlanned(step, entry.sent);
}

void EpochRun::NotePlanned(const PlannedStep& step, MonotonicTime now) {
  for (const Preemption& preemption : step.preempted) {
    clients_.at(preemption.seq).clock.OnPreempted(now);
    observer_.OnPreempted(preemption.rank);
  }
  for (const StepPlan& plan : step.plans) {
    for (const StartSequence& start : plan.start) clients_.at(start.seq).clock.OnStart(now);
  }
}

absl::Status EpochRun::Report(int32_t rank, StepResult result) {
  if (result.epoch != args_.epoch) return absl::OkStatus();  // said before it heard of this one
  if (result.rank != rank) return DataLoss("it reports as rank {}", result.rank);
  if (!result.status.ok()) {
    return Annotate(result.status, fmt::format("step {} failed", result.step));
  }
  const auto it = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const StepInFlight& each) {
    return !each.reported[static_cast<size_t>(rank)];
  });
  if (it == in_flight_.end() || it->summary.step != result.step) {
    return DataLoss("it reports step {}, which is not its next", result.step);
  }
  for (const ProbeResult& probe : result.probes) {
    const auto client = clients_.find(probe.seq);
    if (client != clients_.end()) client->second.sink->OnProbe(probe);
  }
  for (const SequenceResult& sequence : result.sequences) {
    ATOLL_RETURN_IF_ERROR(ReportSequence(rank, sequence));
  }
  observer_.OnWorkerStep(rank, result.stats);
  it->summary.rows += result.stats.rows;
  it->reported[static_cast<size_t>(rank)] = true;
  CompleteSteps();
  return absl::OkStatus();
}

absl::Status EpochRun::ReportSequence(int32_t rank, const SequenceResult& result) {
  for (const TokenId id : result.ids) {
    if (Value(id) >= args_.vocab_size) {
      return DataLoss("it sampled token {} of a vocabulary of {}", Value(id), args_.vocab_size);
    }
  }
  ATOLL_ASSIGN_OR_RETURN(const SequenceUpdate update, scheduler_.Apply(rank, result));
  if (!update.known) return absl::OkStatus();  // cancelled meanwhile
  Client& client = clients_.at(result.seq);
  client.generated_tokens += static_cast<int64_t>(result.ids.size());
  ReportPrompt(result.seq, client, result);
  if (!result.ids.empty()) {
    client.clock.OnTokens(args_.clock->Now());
    client.sink->OnTokens(result.ids, result.logprobs);
  }
  if (!update.ended()) return absl::OkStatus();
  Finish(result.seq, update.reason,
         update.reason == FinishReason::kError
             ? Internal("worker {} could not compute this request", rank)
             : absl::OkStatus());
  return absl::OkStatus();
}

// What a recomputed chunk says of the prompt has been told, as far as the prompt had run before.
void EpochRun::ReportPrompt(SeqId seq, Client& client, const SequenceResult& result) {
  const int64_t done = std::min<int64_t>(result.length, client.prompt_tokens);
  if (done <= client.prompt_done) return;
  // The rows that ran speak of the tokens after them, up to the prompt's last.
  const auto num_new =
      static_cast<size_t>(std::min(done, client.prompt_tokens - 1) - client.prompt_done);
  std::span<const TokenLogprobs> logprobs = result.prompt_logprobs;
  if (logprobs.size() > num_new) logprobs = logprobs.last(num_new);
  client.prompt_done = done;
  client.sink->OnPrompt(static_cast<int32_t>(done), logprobs);
  const MonotonicTime now = args_.clock->Now();
  if (done == client.prompt_tokens || now - client.progress_reported < kProgressInterval) return;
  client.progress_reported = now;
  LOG_INFO("request {}: {} of {} prompt tokens", Value(seq), Grouped(done),
           Grouped(client.prompt_tokens));
}

void EpochRun::CompleteSteps() {
  while (!in_flight_.empty()) {
    StepInFlight& front = in_flight_.front();
    if (!std::all_of(front.reported.begin(), front.reported.end(), [](bool b) { return b; }))
      return;
    const MonotonicTime now = args_.clock->Now();
    front.summary.duration = now - front.sent;
    // It could not begin before the one ahead of it was done. One with rows that did not run, of
    // sequences that had ended, says nothing of its shape.
    if (front.summary.rows == front.summary.planned_rows && front.summary.rows > 0) {
      scheduler_.ObserveStep(front.shapes,
                             absl::ToInt64Microseconds(now - std::max(front.sent, completed_)));
    }
    completed_ = now;
    observer_.OnStep(front.summary);
    in_flight_.pop_front();
  }
}

MonotonicTime EpochRun::oldest_sent() const {
  return in_flight_.empty() ? MonotonicTime::InfiniteFuture() : in_flight_.front().sent;
}

std::vector<int32_t> EpochRun::SilentRanks() const {
  std::vector<int32_t> ranks;
  if (in_flight_.empty()) return ranks;
  const std::vector<bool>& reported = in_flight_.front().reported;
  for (size_t rank = 0; rank < reported.size(); ++rank) {
    if (!reported[rank]) ranks.push_back(static_cast<int32_t>(rank));
  }
  return ranks;
}

void EpochRun::FailAll(const absl::Status& why) {
  while (!clients_.empty()) {
    const SeqId seq = clients_.begin()->first;
    scheduler_.Remove(seq);
    Finish(seq, FinishReason::kError, why);
  }
  inbox_.PublishWaiting(0, RetryEstimate::kMin);
}

void EpochRun::Finish(SeqId seq, FinishReason reason, const absl::Status& status) {
  const auto it = clients_.find(seq);
  CHECK(it != clients_.end());
  const Client client = std::move(it->second);
  clients_.erase(it);
  const MonotonicTime now = args_.clock->Now();
  const RequestTimings timings = client.clock.At(now);
  client.sink->OnFinish({.reason = reason, .status = status, .timings = timings});
  observer_.OnRequestEnd({.reason = reason,
                          .prompt_tokens = client.prompt_tokens,
                          .generated_tokens = client.generated_tokens,
                          .timings = timings});
  retry_.OnEnd(now);
  inbox_.Ended(seq);
}

}  // namespace atl::coordinator
