// Executor: obeys plans. One step: check the plan, run the layers with the peers, sample, commit,
// report. It knows nothing of users or policy.
//
//   Executor executor(…);
//   executor.StartEpoch(epoch_start, &transport);
//   // On the executor's thread, which also progresses the transport:
//   StepResult result = executor.Execute(plan);
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/concurrency/thread_pool.h"
#include "common/step/step_plan.h"
#include "kernels/dispatch/kernel_context.h"
#include "worker/batch/batch_builder.h"
#include "worker/executor/output_head.h"
#include "worker/kv_cache/kv_cache.h"
#include "worker/model/decoder.h"
#include "worker/moe/token_dispatcher.h"
#include "worker/transport/transport.h"

namespace atl::worker {

struct ExecutorOptions {
  kernels::Backend backend = kernels::Backend::kRef;
  int num_threads = 1;
  std::chrono::nanoseconds spin = std::chrono::microseconds(50);
  // CPU of each compute thread, the executor's own first; none: wherever the system puts them.
  std::vector<int> cpus = {};
  DecoderOptions decoder;
  int num_blocks = 0;
  int num_slots = 0;
  int num_spares = 1;
  int late_rows = 1;
};

class Executor {
 public:
  // `weights` views memory that outlives the executor.
  static absl::StatusOr<std::unique_ptr<Executor>> Create(const ModelConfig& config,
                                                          const ModelWeights& weights,
                                                          const ExecutorOptions& options);

  // Between two steps: the same weights, of which more are packed now.
  void UseWeights(const ModelWeights& weights) { decoder_->UseWeights(weights); }

  // A new membership. The transport is joined already and outlives the epoch. Sequences of another
  // term are forgotten. kInvalidArgument: owners that do not fit the model or the ranks.
  absl::Status StartEpoch(const EpochStart& start, Transport* transport);
  // Lets go of what is in flight, so that the transport may join another epoch. Plans are refused
  // until StartEpoch.
  void LeaveEpoch();

  // Never fails as a call: what went wrong stands in the result's status. kFailedPrecondition: a
  // plan of another epoch, out of order, or against the table; nothing was executed. kUnavailable,
  // kDeadlineExceeded, kDataLoss: the exchange failed; nothing of the step is committed.
  StepResult Execute(const StepPlan& plan);

  const KvCacheConfig& cache_config() const { return cache_->config(); }
  WorkerReady MakeReady() const;

 private:
  Executor() = default;
  absl::Status Check(const StepPlan& plan) const;
  absl::Status RunStep(const StepPlan& plan, StepResult& result);
  absl::Status Forward(const StepPlan& plan, const BatchInput& batch);
  absl::Status SampleAndCommit(const BatchInput& batch, StepResult& result);
  void Commit(const BatchInput& batch);
  static SequenceResult Report(HomeSequence& sequence, EntryOutcome outcome);
  static void Append(HomeSequence& sequence, SampledToken sampled, SequenceResult& out);
  void TakeStats(StepStats& stats);

  ModelConfig config_;
  ExecutorOptions options_;
  std::unique_ptr<ThreadPool> threads_;
  std::unique_ptr<kernels::ThreadLender> lender_;
  std::unique_ptr<kernels::KernelContext> context_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<OutputHead> head_;
  std::unique_ptr<KvCache> cache_;
  std::unique_ptr<TokenDispatcher> dispatcher_;
  BatchLimits limits_;
  SequenceTable table_;

  EpochStart epoch_;
  Transport* transport_ = nullptr;
  uint64_t last_step_ = 0;
  uint64_t waiting_us_seen_ = 0;
  uint64_t bytes_sent_seen_ = 0;
};

}  // namespace atl::worker
