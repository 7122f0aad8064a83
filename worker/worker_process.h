// A worker as a process: what the coordinator says goes into a queue, one executor thread does it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <variant>

#include "common/base/status.h"
#include "common/concurrency/bounded_queue.h"
#include "common/config/model_config.h"
#include "worker/executor/executor.h"
#include "worker/flags.h"
#include "worker/rpc/coordinator_client.h"
#include "worker/transport/ucx/ucx_transport.h"
#include "worker/weights/model_weights.h"

namespace atl {

class WorkerProcess : public WorkerHandler {
 public:
  // Reads the checkpoint's headers, sizes the cache, opens UCX. The errors are those of a bad flag,
  // file or machine.
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
  void Begin(const EpochStart& start);
  absl::Status JoinEpoch(const EpochStart& start);
  void TouchOwnedWeights(const EpochStart& start);

  WorkerFlags flags_;
  kernels::Backend backend_{};
  ModelConfig config_;
  std::unique_ptr<Checkpoint> checkpoint_;
  ModelWeights weights_;
  WorkerHello hello_;
  std::atomic<uint32_t> term_max_{0};
  std::unique_ptr<UcxTransport> transport_;  // outlives what the executor has in flight
  std::unique_ptr<Executor> executor_;
  BoundedQueue<Command> commands_{64};
  std::unique_ptr<CoordinatorClient> client_;
};

}  // namespace atl
