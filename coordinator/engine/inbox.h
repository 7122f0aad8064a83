// Inbox: the part of the engine that other threads touch. They leave requests, cancellations and
// workers' messages here; the engine thread takes them all at once.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/step/step_plan.h"
#include "coordinator/engine/engine.h"
#include "coordinator/engine/retry_estimate.h"
#include "coordinator/membership/membership.h"

namespace atl::coordinator {

struct Submission {
  SeqId id{};
  Request request;
  std::unique_ptr<RequestSink> sink;
};

struct StreamClosed {
  absl::Status why;
};

struct WorkerEvent {
  WorkerId worker{};
  std::variant<WorkerHello, absl::StatusOr<WorkerReady>, StepResult, StreamClosed> what;
};

// Everything is bounded: requests by max_queue, cancellations by the requests alive, workers'
// messages by kEventsMax (Push waits). std::mutex, not absl::Mutex: TSan must see it, and Debian's
// Abseil is built without.
class Inbox {
 public:
  static constexpr size_t kEventsMax = 1024;

  struct Batch {
    std::vector<WorkerEvent> events;
    std::vector<Submission> submissions;  // ids ascend, also from batch to batch
    std::vector<SeqId> cancellations;     // each of an accepted request, once
    bool stop = false;
  };

  explicit Inbox(int32_t max_queue) : max_queue_(static_cast<size_t>(max_queue)) {}

  // Any thread. Submit and Cancel are the engine's own, see engine.h.
  absl::StatusOr<SeqId> Submit(Request request, std::unique_ptr<RequestSink> sink);
  void Cancel(SeqId seq);
  void Push(WorkerEvent event);
  ReadyState ready_state() const;
  RequestLimits limits() const;
  absl::Duration retry_after() const;
  // From now on Submit refuses with `reason`.
  void CloseForRequests(const std::string& reason);
  // False when accepted requests were left after `limit`.
  bool WaitUntilIdle(absl::Duration limit);
  // The next batch is the last; what comes later is dropped.
  void Stop();

  // Engine thread: waits for something to come, empty when nothing came within `limit`.
  Batch Take(absl::Duration limit);
  void Publish(const ReadyState& ready, const RequestLimits& limits);
  void PublishWaiting(int32_t num_waiting, absl::Duration retry_after);
  void Ended(SeqId seq);

 private:
  const size_t max_queue_;
  mutable std::mutex mutex_;
  std::condition_variable came_;   // for Take
  std::condition_variable taken_;  // for Push
  std::condition_variable idle_;   // for WaitUntilIdle
  Batch batch_;
  ReadyState ready_{.ready = false, .reason = "starting"};
  RequestLimits limits_;
  std::string closed_;      // why no request is taken; empty: they are
  size_t num_waiting_ = 0;  // taken from the inbox, not admitted
  absl::Duration retry_after_ = RetryEstimate::kMin;
  uint64_t last_seq_ = 0;
  bool stopped_ = false;
  std::unordered_set<SeqId> alive_;      // accepted, not ended
  std::unordered_set<SeqId> cancelled_;  // of those
};

}  // namespace atl::coordinator
