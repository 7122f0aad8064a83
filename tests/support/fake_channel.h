// FakeChannel: the workers' streams without a network. It keeps what the engine sends, worker by
// worker, for a test (or FakeCluster's threads) to take out.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "common/concurrency/bounded_queue.h"
#include "coordinator/worker_link/worker_channel.h"
#include "tests/support/fake_worker.h"

namespace atl::testing {

struct EpochEnded {
  Epoch epoch;
  std::string reason;
};
struct ShutdownSent {};
struct Refused {
  absl::Status why;
};
using ToWorker = std::variant<EpochStart, StepPlan, EpochEnded, ShutdownSent, Refused>;

class FakeChannel : public coordinator::WorkerChannel {
 public:
  void SendEpochStart(coordinator::WorkerId worker, const EpochStart& start) override {
    Put(worker, start);
  }
  void SendPlan(coordinator::WorkerId worker, const StepPlan& plan) override { Put(worker, plan); }
  void SendEpochEnd(coordinator::WorkerId worker, Epoch epoch, const std::string& reason) override {
    Put(worker, EpochEnded{epoch, reason});
  }
  void SendShutdown(coordinator::WorkerId worker) override { Put(worker, ShutdownSent{}); }
  void Refuse(coordinator::WorkerId worker, const absl::Status& why) override {
    Put(worker, Refused{why});
  }

  // The next message to a worker; nothing when none came for 20 seconds, or Close was called.
  std::optional<ToWorker> Next(coordinator::WorkerId worker);
  // The same where the test knows what must come; fails the test otherwise.
  template <typename T>
  T Expect(coordinator::WorkerId worker) {
    std::optional<ToWorker> message = Next(worker);
    if (message && std::holds_alternative<T>(*message)) return std::get<T>(std::move(*message));
    Complain(worker, message);
    return {};
  }
  size_t num_waiting(coordinator::WorkerId worker) { return Queue(worker).size(); }
  void Close();

 private:
  void Put(coordinator::WorkerId worker, ToWorker message);
  static void Complain(coordinator::WorkerId worker, const std::optional<ToWorker>& message);
  BoundedQueue<ToWorker>& Queue(coordinator::WorkerId worker);

  std::mutex mutex_;
  bool closed_ = false;
  std::map<coordinator::WorkerId, std::unique_ptr<BoundedQueue<ToWorker>>> queues_;
};

WorkerHello FakeHello(int32_t index, uint32_t term_max = 0);
WorkerReady FakeReady(const EpochStart& start, const FakeWorkerOptions& options);

// Workers with a thread each that join, obey every plan and report.
class FakeCluster {
 public:
  // `options.rank` is set by the order of joining: worker stream i has rank i.
  FakeCluster(FakeChannel& channel, coordinator::WorkerEvents& events, int32_t num_workers,
              FakeWorkerOptions options = {});
  // Ends the threads; plans that wait are not run.
  ~FakeCluster();
  FakeCluster(const FakeCluster&) = delete;
  FakeCluster& operator=(const FakeCluster&) = delete;

  // The stream of a worker closes; it runs nothing more.
  void Kill(int32_t index);
  // What plans broke the protocol; empty is right.
  std::vector<std::string> violations();

 private:
  void Serve(int32_t index, FakeWorkerOptions options);

  FakeChannel& channel_;
  coordinator::WorkerEvents& events_;
  std::mutex mutex_;
  std::vector<std::string> violations_;
  std::vector<bool> killed_;
  std::vector<std::thread> threads_;
};

}  // namespace atl::testing
