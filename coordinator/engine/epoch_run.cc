#include "coordinator/engine/epoch_run.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"

namespace atl {
namespace {

StepKind KindOf(const PlannedStep& step) {
  if (step.prefill_rows == 0) return StepKind::kDecode;
  return step.decode_rows == 0 ? StepKind::kPrefill : StepKind::kMixed;
}

}  // namespace

EpochRun::EpochRun(EpochRunArgs args, WorkerChannel& channel, EngineProbe& probe, Door& door)
    : args_(std::move(args)),
      channel_(channel),
      probe_(probe),
      door_(door),
      scheduler_(args_.scheduler, args_.epoch, args_.homes) {
  CHECK(args_.workers.size() == args_.homes.size());
}

void EpochRun::Add(Submission submission) {
  // The plan alone decides what is drawn, so a seed that the client did not give is drawn here.
  if (clients_.empty()) retry_.OnBusy(args_.now());
  if (!submission.request.seed) submission.request.seed = args_.draw_seed();
  clients_[submission.id] = {
      .sink = std::move(submission.sink),
      .prompt_tokens = static_cast<int64_t>(submission.request.prompt.size())};
  scheduler_.Add(submission.id, std::move(submission.request));
}

void EpochRun::Cancel(SeqId seq) {
  if (!scheduler_.Remove(seq)) return;  // it has just ended
  Finish(seq, FinishReason::kCancelled, absl::OkStatus());
}

void EpochRun::PlanAhead() {
  while (static_cast<int32_t>(in_flight_.size()) < args_.steps_in_flight) {
    const std::optional<PlannedStep> step = scheduler_.PlanStep();
    if (!step) break;
    StepInFlight& entry = in_flight_.emplace_back();
    entry.summary = {.step = step->plans[0].step,
                     .kind = KindOf(*step),
                     .planned_rows = step->decode_rows + step->prefill_rows,
                     .decode_rows = step->decode_rows,
                     .prefill_rows = step->prefill_rows,
                     .planned_sequences = step->num_sequences};
    entry.sent = args_.now();
    entry.reported.resize(args_.workers.size());
    for (size_t rank = 0; rank < args_.workers.size(); ++rank) {
      channel_.SendPlan(args_.workers[rank], step->plans[rank]);
    }
  }
  const int32_t num_waiting = scheduler_.num_waiting();
  door_.PublishWaiting(num_waiting, retry_.Until(num_waiting, args_.now()));
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
  probe_.OnWorkerStep(rank, result.stats);
  it->summary.rows += result.stats.rows;
  it->reported[static_cast<size_t>(rank)] = true;
  CompleteSteps();
  return absl::OkStatus();
}

absl::Status EpochRun::ReportSequence(int32_t rank, const SequenceResult& result) {
  for (const TokenId id : result.ids) {
    if (Value(id) >= args_.vocab_size) {
      return DataLoss("it drew token {} of a vocabulary of {}", Value(id), args_.vocab_size);
    }
  }
  ATOLL_ASSIGN_OR_RETURN(const SequenceUpdate update, scheduler_.Apply(rank, result));
  if (!update.known) return absl::OkStatus();  // cancelled meanwhile
  Client& client = clients_.at(result.seq);
  client.generated_tokens += static_cast<int64_t>(result.ids.size());
  if (client.prompt_done < client.prompt_tokens) {
    client.prompt_done = std::min<int64_t>(result.length, client.prompt_tokens);
    client.sink->OnPrompt(static_cast<int32_t>(client.prompt_done), result.prompt_logprobs);
  }
  if (!result.ids.empty()) client.sink->OnTokens(result.ids, result.logprobs);
  if (!update.ended) return absl::OkStatus();
  Finish(result.seq, update.reason,
         update.reason == FinishReason::kError
             ? Internal("worker {} could not compute this request", rank)
             : absl::OkStatus());
  return absl::OkStatus();
}

void EpochRun::CompleteSteps() {
  while (!in_flight_.empty()) {
    StepInFlight& front = in_flight_.front();
    if (!std::all_of(front.reported.begin(), front.reported.end(), [](bool b) { return b; }))
      return;
    front.summary.duration = args_.now() - front.sent;
    probe_.OnStep(front.summary);
    in_flight_.pop_front();
  }
}

absl::Time EpochRun::oldest_sent() const {
  return in_flight_.empty() ? absl::InfiniteFuture() : in_flight_.front().sent;
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
  door_.PublishWaiting(0, RetryEstimate::kMin);
}

void EpochRun::Finish(SeqId seq, FinishReason reason, const absl::Status& status) {
  const auto it = clients_.find(seq);
  CHECK(it != clients_.end());
  const Client client = std::move(it->second);
  clients_.erase(it);
  client.sink->OnFinish({.reason = reason, .status = status});
  probe_.OnRequestEnd({.reason = reason,
                       .prompt_tokens = client.prompt_tokens,
                       .generated_tokens = client.generated_tokens});
  retry_.OnEnd(args_.now());
  door_.Ended(seq);
}

}  // namespace atl
