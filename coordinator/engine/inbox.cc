#include "coordinator/engine/inbox.h"

#include <utility>

#include "common/base/status_macros.h"

namespace atl::coordinator {

absl::StatusOr<SeqId> Inbox::Submit(Request request, std::unique_ptr<RequestSink> sink) {
  std::unique_lock lock(mutex_);
  if (!closed_.empty()) return Unavailable("{}", closed_);
  if (!ready_.ready) return Unavailable("{}", ready_.reason);
  const RequestLimits limits = limits_;
  lock.unlock();
  // A million ids are looked at without the lock.
  ATOLL_RETURN_IF_ERROR(CheckRequest(request, limits));
  lock.lock();
  if (!closed_.empty()) return Unavailable("{}", closed_);
  if (!ready_.ready) return Unavailable("{}", ready_.reason);
  if (num_waiting_ + batch_.submissions.size() >= max_queue_) {
    return ResourceExhausted("{} requests are waiting, the queue takes no more; try again later",
                             num_waiting_ + batch_.submissions.size());
  }
  const SeqId seq{++last_seq_};
  alive_.insert(seq);
  batch_.submissions.push_back({seq, std::move(request), std::move(sink)});
  lock.unlock();
  came_.notify_one();
  return seq;
}

void Inbox::Cancel(SeqId seq) {
  {
    std::lock_guard lock(mutex_);
    if (!alive_.contains(seq) || !cancelled_.insert(seq).second) return;
    batch_.cancellations.push_back(seq);
  }
  came_.notify_one();
}

void Inbox::Push(WorkerEvent event) {
  {
    std::unique_lock lock(mutex_);
    taken_.wait(lock, [this] { return stopped_ || batch_.events.size() < kEventsMax; });
    if (stopped_) return;
    batch_.events.push_back(std::move(event));
  }
  came_.notify_one();
}

ReadyState Inbox::ready_state() const {
  std::lock_guard lock(mutex_);
  if (!closed_.empty()) return {.ready = false, .reason = closed_};
  return ready_;
}

RequestLimits Inbox::limits() const {
  std::lock_guard lock(mutex_);
  return limits_;
}

absl::Duration Inbox::retry_after() const {
  std::lock_guard lock(mutex_);
  return retry_after_;
}

void Inbox::CloseForRequests(const std::string& reason) {
  std::lock_guard lock(mutex_);
  closed_ = reason;
}

bool Inbox::WaitUntilIdle(absl::Duration limit) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, absl::ToChronoMilliseconds(limit), [this] { return alive_.empty(); });
}

void Inbox::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    batch_.stop = true;
    if (closed_.empty()) closed_ = "the server has shut down";
  }
  came_.notify_one();
  taken_.notify_all();
}

Inbox::Batch Inbox::Take(absl::Duration limit) {
  Batch batch;
  {
    std::unique_lock lock(mutex_);
    const auto came = [this] {
      return batch_.stop || !batch_.events.empty() || !batch_.submissions.empty() ||
             !batch_.cancellations.empty();
    };
    if (limit == absl::InfiniteDuration()) {
      came_.wait(lock, came);
    } else {
      came_.wait_for(lock, absl::ToChronoMilliseconds(limit), came);
    }
    batch = std::exchange(batch_, {});
    num_waiting_ += batch.submissions.size();
  }
  taken_.notify_all();
  return batch;
}

void Inbox::Publish(const ReadyState& ready, const RequestLimits& limits) {
  std::lock_guard lock(mutex_);
  ready_ = ready;
  limits_ = limits;
}

void Inbox::PublishWaiting(int32_t num_waiting, absl::Duration retry_after) {
  std::lock_guard lock(mutex_);
  num_waiting_ = static_cast<size_t>(num_waiting);
  retry_after_ = retry_after;
}

void Inbox::Ended(SeqId seq) {
  {
    std::lock_guard lock(mutex_);
    alive_.erase(seq);
    cancelled_.erase(seq);
    if (!alive_.empty()) return;
  }
  idle_.notify_all();
}

}  // namespace atl::coordinator
