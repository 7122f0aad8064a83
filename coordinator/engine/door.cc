#include "coordinator/engine/door.h"

#include <utility>

#include "common/base/status_macros.h"

namespace atl::coordinator {

absl::StatusOr<SeqId> Door::Submit(Request request, std::unique_ptr<RequestSink> sink) {
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
  if (num_waiting_ + inbox_.submissions.size() >= max_queue_) {
    return ResourceExhausted("{} requests are waiting, the queue takes no more; try again later",
                             num_waiting_ + inbox_.submissions.size());
  }
  const SeqId seq{++last_seq_};
  alive_.insert(seq);
  inbox_.submissions.push_back({seq, std::move(request), std::move(sink)});
  lock.unlock();
  came_.notify_one();
  return seq;
}

void Door::Cancel(SeqId seq) {
  {
    std::lock_guard lock(mutex_);
    if (!alive_.contains(seq) || !cancelled_.insert(seq).second) return;
    inbox_.cancellations.push_back(seq);
  }
  came_.notify_one();
}

void Door::Push(WorkerEvent event) {
  {
    std::unique_lock lock(mutex_);
    taken_.wait(lock, [this] { return stopped_ || inbox_.events.size() < kEventsMax; });
    if (stopped_) return;
    inbox_.events.push_back(std::move(event));
  }
  came_.notify_one();
}

ReadyState Door::ready_state() const {
  std::lock_guard lock(mutex_);
  if (!closed_.empty()) return {.ready = false, .reason = closed_};
  return ready_;
}

RequestLimits Door::limits() const {
  std::lock_guard lock(mutex_);
  return limits_;
}

absl::Duration Door::retry_after() const {
  std::lock_guard lock(mutex_);
  return retry_after_;
}

void Door::CloseForRequests(const std::string& reason) {
  std::lock_guard lock(mutex_);
  closed_ = reason;
}

bool Door::WaitUntilIdle(absl::Duration limit) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, absl::ToChronoMilliseconds(limit), [this] { return alive_.empty(); });
}

void Door::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    inbox_.stop = true;
    if (closed_.empty()) closed_ = "the server has shut down";
  }
  came_.notify_one();
  taken_.notify_all();
}

Door::Batch Door::Take(absl::Duration limit) {
  Batch batch;
  {
    std::unique_lock lock(mutex_);
    const auto came = [this] {
      return inbox_.stop || !inbox_.events.empty() || !inbox_.submissions.empty() ||
             !inbox_.cancellations.empty();
    };
    if (limit == absl::InfiniteDuration()) {
      came_.wait(lock, came);
    } else {
      came_.wait_for(lock, absl::ToChronoMilliseconds(limit), came);
    }
    batch = std::exchange(inbox_, {});
    num_waiting_ += batch.submissions.size();
  }
  taken_.notify_all();
  return batch;
}

void Door::Publish(const ReadyState& ready, const RequestLimits& limits) {
  std::lock_guard lock(mutex_);
  ready_ = ready;
  limits_ = limits;
}

void Door::PublishWaiting(int32_t num_waiting, absl::Duration retry_after) {
  std::lock_guard lock(mutex_);
  num_waiting_ = static_cast<size_t>(num_waiting);
  retry_after_ = retry_after;
}

void Door::Ended(SeqId seq) {
  {
    std::lock_guard lock(mutex_);
    alive_.erase(seq);
    cancelled_.erase(seq);
    if (!alive_.empty()) return;
  }
  idle_.notify_all();
}

}  // namespace atl::coordinator
