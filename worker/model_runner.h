// ModelRunner: a checkpoint's layers as a step runner. It holds the weights, the executor, and the
// UCX transport to the peers.
#pragma once

#include <memory>

#include "common/config/model_config.h"
#include "worker/executor/executor.h"
#include "worker/executor/step_runner.h"
#include "worker/flags.h"
#include "worker/transport/ucx/ucx_transport.h"
#include "worker/weights/checkpoint.h"
#include "worker/weights/model_weights.h"

namespace atl {

class ModelRunner : public StepRunner {
 public:
  // Reads the checkpoint's headers, sizes the cache, opens UCX. `machine` says where this process
  // runs. The errors are those of a bad flag, file or machine.
  static absl::StatusOr<std::unique_ptr<ModelRunner>> Create(const WorkerFlags& flags,
                                                             WorkerHello machine);

  const WorkerHello& hello() const override { return hello_; }
  // Reads the weights that this rank owns, too, with progress in the log.
  absl::Status JoinEpoch(const EpochStart& start) override;
  WorkerReady MakeReady() const override { return executor_->MakeReady(); }
  std::optional<StepResult> Execute(const StepPlan& plan) override {
    return executor_->Execute(plan);
  }
  // Peers' keepalives want an answer.
  void Progress() override;
  void EndEpoch(const std::string& reason) override { transport_->EndEpoch(reason); }

 private:
  ModelRunner() = default;
  absl::Status OpenCheckpoint(const WorkerFlags& flags);
  absl::StatusOr<KvCacheConfig> MakeCacheConfig(const WorkerFlags& flags,
                                                const ExecutorOptions& options) const;
  void TouchOwnedWeights(const EpochStart& start);

  kernels::Backend backend_{};
  ModelConfig config_;
  std::unique_ptr<Checkpoint> checkpoint_;
  ModelWeights weights_;
  WorkerHello hello_;
  std::unique_ptr<UcxTransport> transport_;  // outlives what the executor has in flight
  std::unique_ptr<Executor> executor_;
};

}  // namespace atl
