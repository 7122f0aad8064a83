// ModelRunner: a checkpoint's layers as a step runner. It holds the weights, the executor, and the
// UCX transport to the peers.
#pragma once

#include <memory>

#include "common/config/model_config.h"
#include "worker/executor/executor.h"
#include "worker/executor/step_runner.h"
#include "worker/packed_weights/packed_place.h"
#include "worker/packed_weights/packed_store.h"
#include "worker/packed_weights/weight_packer.h"
#include "worker/process/flags.h"
#include "worker/transport/ucx/ucx_transport.h"
#include "worker/weights/checkpoint.h"
#include "worker/weights/model_weights.h"

namespace atl::worker {

class ModelRunner : public StepRunner {
 public:
  // Reads the checkpoint's headers, sizes the cache, opens UCX. `machine` says where this process
  // runs. The errors are those of a bad flag, file or machine.
  static absl::StatusOr<std::unique_ptr<ModelRunner>> Create(const WorkerFlags& flags,
                                                             WorkerHello machine);

  const WorkerHello& hello() const override { return hello_; }
  // Reads the weights that this rank owns, too, with progress in the log, and begins to pack them.
  absl::Status JoinEpoch(const EpochStart& start) override;
  WorkerReady MakeReady() const override { return executor_->MakeReady(); }
  StepResult Execute(const StepPlan& plan) override;
  // Peers' keepalives want an answer.
  void Progress() override;
  void EndEpoch(const std::string& reason) override { transport_->EndEpoch(reason); }

 private:
  ModelRunner() = default;
  absl::Status OpenCheckpoint(const WorkerFlags& flags);
  absl::StatusOr<KvCacheConfig> MakeCacheConfig(const WorkerFlags& flags,
                                                kernels::DType dtype) const;
  // owned[layer] lists the experts of this rank.
  using OwnedExperts = std::vector<std::vector<int>>;
  OwnedExperts ExpertsOf(const EpochStart& start) const;
  absl::Status PlacePacked(const OwnedExperts& owned);
  absl::StatusOr<PackedRequest> RequestPacked(const PackedLayout& layout,
                                              const OwnedExperts& owned) const;
  void ReadWeights(const OwnedExperts& owned) const;
  void AdoptPacked();

  std::string model_, packed_weights_dir_;
  PackedMode packed_mode_{};
  kernels::Backend backend_{};
  ModelConfig config_;
  std::unique_ptr<Checkpoint> checkpoint_;
  ModelWeights weights_;
  WorkerHello hello_;
  std::unique_ptr<UcxTransport> transport_;  // outlives what the executor has in flight
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<PackedStore> packed_;  // null: weights stay as they are
  std::unique_ptr<WeightPacker> packer_;
};

}  // namespace atl::worker
