// LocalCluster: workers of one process over the in-process transport, stepped by hand. What a
// distributed run is compared with, and what atoll-check runs.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/step/step_plan.h"
#include "worker/executor/executor.h"
#include "worker/transport/transport.h"

namespace atl::worker {

struct LocalClusterOptions {
  int num_workers = 1;
  ExecutorOptions executor;
  // [layer][expert] → rank; empty: contiguous shares.
  std::vector<std::vector<int32_t>> expert_owner;
  // Puts something around a rank's transport (tests: faults).
  std::function<std::unique_ptr<Transport>(int rank, std::unique_ptr<Transport>)> wrap_transport;
};

class LocalCluster {
 public:
  // `weights` views memory that outlives the cluster.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> Create(const ModelConfig& config,
                                                              const ModelWeights& weights,
                                                              const LocalClusterOptions& options);

  int num_workers() const { return static_cast<int>(executors_.size()); }
  Executor& executor(int rank) { return *executors_[static_cast<size_t>(rank)]; }

  // Runs one step: work[r] is rank r's part; epoch, step and rows_by_rank are filled in. Ranks run
  // on threads of their own.
  std::vector<StepResult> Step(std::vector<StepPlan> plans);

  // Ends the epoch and starts the next with the same workers; committed sequences stay.
  absl::Status NextEpoch();

 private:
  LocalCluster() = default;

  LocalClusterOptions options_;
  std::vector<std::vector<int32_t>> expert_owner_;
  Epoch epoch_{1, 0};
  uint64_t step_ = 0;
  std::vector<std::unique_ptr<Transport>> transports_;  // outlive what executors have in flight
  std::vector<std::unique_ptr<Executor>> executors_;
};

// One sequence run to its end on a cluster, at home on one rank.
struct SoloRun {
  std::vector<TokenId> ids;
  // Sizes of the prompt's chunks in turn, the last one repeated; empty: the whole prompt at once.
  std::vector<int32_t> chunks;
  int32_t num_generate = 0;  // greedy tokens to append
  int home = 0;
  Probe probe = Probe::kLogits;  // of every row
  SeqId seq{1};
  SlotId slot{0};
  int32_t first_block = 0;  // blocks first_block … are used
  std::function<void()> before_step;
};
struct SoloOutput {
  std::vector<float>
      logits;  // a row of V for every prompt token, then for every generated one but the last
  std::vector<TokenId> generated;
};
absl::StatusOr<SoloOutput> RunSolo(LocalCluster& cluster, const SoloRun& run);

}  // namespace atl::worker
