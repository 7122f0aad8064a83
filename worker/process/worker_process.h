// A worker as a process: what the coordinator says goes into a queue, one executor thread does it.
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <string>
#include <variant>

#include "common/base/status.h"
#include "common/concurrency/bounded_queue.h"
#include "worker/executor/step_runner.h"
#include "worker/process/flags.h"
#include "worker/rpc/coordinator_client.h"

namespace atl::worker {

class WorkerProcess : public WorkerHandler {
 public:
  // Makes the runner that --model names. The errors are those of a bad flag, file or machine.
  static absl::StatusOr<std::unique_ptr<WorkerProcess>> Create(const WorkerFlags& flags);
  ~WorkerProcess() override;

  // Obeys until it is shut down or refused. OK: shut down.
  absl::Status Run();
  // From a signal's thread: finish the step under way and return from Run.
  void Stop();

  // WorkerHandler, on the client's threads.
  WorkerHello Hello() override;
  void OnEpochStart(EpochStart start) override;
  void OnPlan(StepPlan plan) override;
  void OnEpochEnd(Epoch epoch, std::string reason) override;
  void OnShutdown() override;
  void OnRefused(absl::Status why) override;
  void OnDisconnected(absl::Status why) override;

 private:
  struct Shutdown {
    absl::Status status;
  };
  using Command = std::variant<EpochStart, StepPlan, Shutdown>;

  WorkerProcess() = default;
  void Push(Command command);
  void ShutDown(absl::Status status);
  void Begin(const EpochStart& start);

  std::string coordinator_;
  std::atomic<uint32_t> term_max_{0};
  std::unique_ptr<StepRunner> runner_;
  BoundedQueue<Command> commands_{64};
  std::stop_source stop_;  // ends a step that a script made hang
  std::unique_ptr<CoordinatorClient> client_;
};

}  // namespace atl::worker
