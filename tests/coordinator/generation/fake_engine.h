// An engine whose answers a test writes: it plays the engine's thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "common/base/check.h"
#include "coordinator/engine/engine.h"

namespace atl::coordinator {

class FakeEngine : public Engine {
 public:
  struct Submitted {
    SeqId seq{};
    Request request;
    std::unique_ptr<RequestSink> sink;
  };

  WorkerEvents& worker_events() override {
    CheckFailed(__FILE__, __LINE__, "the front end has no business with workers", "");
  }

  absl::StatusOr<SeqId> Submit(Request request, std::unique_ptr<RequestSink> sink) override {
    std::lock_guard lock(mutex_);
    if (!refusal_.ok() && taken_before_refusal_-- <= 0) return refusal_;
    const SeqId seq{++last_seq_};
    submitted_.push_back({seq, std::move(request), std::move(sink)});
    changed_.notify_all();
    return seq;
  }

  void Cancel(SeqId seq) override {
    std::lock_guard lock(mutex_);
    cancelled_.insert(seq);
    changed_.notify_all();
  }

  ReadyState ready_state() const override {
    std::lock_guard lock(mutex_);
    return ready_;
  }
  RequestLimits limits() const override {
    std::lock_guard lock(mutex_);
    return limits_;
  }
  absl::Duration RetryAfter() const override { return absl::Milliseconds(2500); }
  bool Drain(absl::Duration) override { return true; }

  // What the test does. Await… end after ten seconds with a CHECK.
  Submitted AwaitSubmitted() {
    std::unique_lock lock(mutex_);
    CHECK(changed_.wait_for(lock, kPatience, [&] { return !submitted_.empty(); }));
    Submitted submitted = std::move(submitted_.front());
    submitted_.pop_front();
    return submitted;
  }
  void AwaitCancelled(SeqId seq) {
    std::unique_lock lock(mutex_);
    CHECK(changed_.wait_for(lock, kPatience, [&] { return cancelled_.contains(seq); }));
  }
  bool Cancelled(SeqId seq) const {
    std::lock_guard lock(mutex_);
    return cancelled_.contains(seq);
  }
  void Refuse(absl::Status status) { RefuseAfter(0, std::move(status)); }
  // Takes `count` more requests first.
  void RefuseAfter(int count, absl::Status status) {
    std::lock_guard lock(mutex_);
    taken_before_refusal_ = count;
    refusal_ = std::move(status);
  }
  void SetReady(ReadyState ready) {
    std::lock_guard lock(mutex_);
    ready_ = std::move(ready);
  }
  void SetLimits(const RequestLimits& limits) {
    std::lock_guard lock(mutex_);
    limits_ = limits;
  }

 private:
  static constexpr std::chrono::seconds kPatience{10};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Submitted> submitted_;
  std::set<SeqId> cancelled_;
  absl::Status refusal_;
  int taken_before_refusal_ = 0;
  ReadyState ready_{.ready = true, .reason = ""};
  RequestLimits limits_;
  uint64_t last_seq_ = 0;
};

}  // namespace atl::coordinator
