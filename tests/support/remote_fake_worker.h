// RemoteFakeWorker: a FakeWorker behind a real stream, as a worker process is: orders come on
// gRPC's threads, an executor thread obeys them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/concurrency/bounded_queue.h"
#include "tests/support/fake_worker.h"
#include "worker/rpc/coordinator_client.h"

namespace atl::testing {

class RemoteFakeWorker final : public worker::WorkerHandler {
 public:
  struct Seen {
    int epochs = 0;
    int plans = 0;
    int disconnects = 0;
    bool shutdown = false;
    std::string epoch_end;
    absl::Status refused;
    std::vector<std::string> violations;
  };

  RemoteFakeWorker(const std::string& address, WorkerHello hello)
      : hello_(std::move(hello)),
        queue_(1024),
        thread_([this] { Execute(); }),
        client_(worker::CoordinatorClient::Create(
            {.address = address, .redial_interval = absl::Milliseconds(20)}, *this)) {
    client_->Start();
  }
  ~RemoteFakeWorker() override {
    queue_.Close();
    thread_.join();  // before the client, which it sends through
    client_.reset();
  }

  bool WaitFor(const std::function<bool(const Seen&)>& predicate) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return predicate(seen_); });
  }
  Seen seen() {
    std::lock_guard lock(mutex_);
    return seen_;
  }

  WorkerHello Hello() override { return hello_; }
  void OnEpochStart(EpochStart start) override {
    Note([](Seen& seen) { ++seen.epochs; });
    Put([this, start = std::move(start)] {
      options_.rank = start.rank;
      worker_ = std::make_unique<FakeWorker>(options_);
      client_->SendReady(
          WorkerReady{.epoch = start.epoch, .rank = start.rank, .capacity = options_.capacity()},
          start.epoch, start.rank);
    });
  }
  void OnPlan(StepPlan plan) override {
    Note([](Seen& seen) { ++seen.plans; });
    Put([this, plan = std::move(plan)] {
      const absl::StatusOr<StepResult> result = worker_->Execute(plan);
      if (result.ok()) return client_->SendResult(*result);
      Note([&](Seen& seen) { seen.violations.push_back(MessageOf(result.status())); });
    });
  }
  void OnEpochEnd(Epoch, std::string reason) override {
    Note([&](Seen& seen) { seen.epoch_end = reason; });
  }
  void OnShutdown() override {
    Note([](Seen& seen) { seen.shutdown = true; });
  }
  void OnRefused(absl::Status why) override {
    Note([&](Seen& seen) { seen.refused = why; });
  }
  void OnDisconnected(absl::Status) override {
    Note([](Seen& seen) { ++seen.disconnects; });
  }

 private:
  void Put(std::function<void()> work) {
    if (!queue_.TryPush(std::move(work))) {
      Note([](Seen& seen) { seen.violations.push_back("more orders than fit"); });
    }
  }
  void Note(const std::function<void(Seen&)>& change) {
    {
      std::lock_guard lock(mutex_);
      change(seen_);
    }
    changed_.notify_all();
  }
  void Execute() {
    while (!queue_.closed()) {
      auto work = queue_.Pop(std::chrono::steady_clock::now() + std::chrono::seconds(1));
      if (work) (*work)();
    }
  }

  const WorkerHello hello_;
  FakeWorkerOptions options_;
  std::unique_ptr<FakeWorker> worker_;  // the executor thread's
  std::mutex mutex_;
  std::condition_variable changed_;
  Seen seen_;
  BoundedQueue<std::function<void()>> queue_;
  std::thread thread_;
  std::unique_ptr<worker::CoordinatorClient> client_;
};

}  // namespace atl::testing
