// EpochRun: what happens while an epoch is ready. It keeps the requests and the steps in flight,
// plans ahead and applies what workers report. Engine thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "coordinator/engine/engine_observer.h"
#include "coordinator/engine/inbox.h"
#include "coordinator/engine/request_clock.h"
#include "coordinator/engine/retry_estimate.h"
#include "coordinator/scheduler/scheduler.h"
#include "coordinator/worker_link/worker_channel.h"

namespace atl::coordinator {

struct EpochRunArgs {
  SchedulerOptions scheduler;
  int32_t steps_in_flight = 2;
  absl::Duration queue_timeout = absl::InfiniteDuration();
  int32_t vocab_size = 0;
  Epoch epoch;
  std::vector<WorkerId> workers;    // by rank
  std::vector<HomeCapacity> homes;  // by rank
  std::function<uint64_t()> make_seed;
  const Clock* clock = nullptr;
};

class EpochRun {
 public:
  // The references outlive the run.
  EpochRun(EpochRunArgs args, WorkerChannel& channel, EngineObserver& observer, Inbox& inbox);

  void Add(Submission submission);
  void Cancel(SeqId seq);
  // Sends plans until enough steps are in flight or nothing can be planned.
  void PlanAhead();
  // Not OK: the worker failed the step or breaks the protocol, the epoch cannot go on.
  absl::Status Report(int32_t rank, StepResult result);
  // Ends every request with kError and `why`.
  void FailAll(const absl::Status& why);

  // Ends those that have waited too long for their first admission.
  void Expire();
  // When the next of them may be due; InfiniteFuture: nobody waits.
  MonotonicTime next_expiry() const;

  // When the step that the workers should report next was sent; InfiniteFuture: none is.
  MonotonicTime oldest_sent() const;
  // Ranks that have not reported it.
  std::vector<int32_t> SilentRanks() const;

  const Scheduler& scheduler() const { return scheduler_; }

 private:
  struct Client {
    std::unique_ptr<RequestSink> sink;
    RequestClock clock;
    int64_t prompt_tokens = 0;
    int64_t prompt_done = 0;  // tokens of it that have run, at the most
    int64_t generated_tokens = 0;
    MonotonicTime progress_reported;  // in the log
  };
  struct StepInFlight {
    StepSummary summary;
    std::vector<StepShape> shapes;  // by rank, as planned
    MonotonicTime sent;
    std::vector<bool> reported;  // by rank
  };

  void Send(const PlannedStep& step);
  void NotePlanned(const PlannedStep& step, MonotonicTime now);
  void ReportPrompt(SeqId seq, Client& client, const SequenceResult& result);
  absl::Status ReportSequence(int32_t rank, const SequenceResult& result);
  void CompleteSteps();
  void Finish(SeqId seq, FinishReason reason, const absl::Status& status);

  const EpochRunArgs args_;
  WorkerChannel& channel_;
  EngineObserver& observer_;
  Inbox& inbox_;
  Scheduler scheduler_;
  std::map<SeqId, Client> clients_;
  std::deque<StepInFlight> in_flight_;
  MonotonicTime completed_ = MonotonicTime::InfinitePast();  // the last step that was
  struct QueueLimit {
    MonotonicTime due;
    SeqId seq{};
  };
  std::deque<QueueLimit> queue_limits_;  // by due; those started or ended are passed over
  RetryEstimate retry_;
};

}  // namespace atl::coordinator
