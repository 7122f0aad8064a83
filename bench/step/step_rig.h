// One worker's forward pass without a coordinator: a checkpoint, its caches and threads, and steps
// of any batch at any depth. Histories are random rows put into the caches, not computed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/roofline/roofline.h"
#include "common/base/status.h"
#include "common/concurrency/thread_pool.h"
#include "worker/executor/output_head.h"
#include "worker/executor/pool_lender.h"
#include "worker/kv_cache/kv_cache.h"
#include "worker/model/decoder.h"
#include "worker/moe/token_dispatcher.h"
#include "worker/packed_weights/packed_store.h"
#include "worker/transport/transport.h"
#include "worker/weights/checkpoint.h"

namespace atl::bench {

struct StepRigOptions {
  std::string model;
  int num_threads = 1;
  bool use_packed = true;  // packed before the first step, in the file that a worker would use
  int num_blocks = 0;      // of 64 tokens
  int num_slots = 0;
  uint32_t seed = 1;  // of tokens and histories; differs between ranks, whose rows would else agree
};

// Equal sequences that run beside each other.
struct StepShape {
  int num_sequences = 1;
  int num_rows = 1;  // of each
  int depth = 0;     // committed tokens of each
};

class StepRig {
 public:
  // Over `transport`, which outlives the rig. expert_owner[layer][expert] → rank; empty: this one.
  static absl::StatusOr<std::unique_ptr<StepRig>> Create(
      const StepRigOptions& options, worker::Transport* transport,
      std::vector<std::vector<int32_t>> expert_owner = {});

  const ModelConfig& config() const { return config_; }
  kernels::KernelContext& context() { return *context_; }

  // Sequences of `shape` with random histories; those before are forgotten.
  void Start(const StepShape& shape);
  // One step of all of them with random tokens: layers, head, greedy sample, commit. A step of
  // several rows is committed as the next depth, one of a single row too. rows_by_rank: as in a
  // plan; empty where this rank is alone. Seconds it took.
  absl::StatusOr<double> Step(std::vector<int32_t> rows_by_rank = {});

 private:
  StepRig() = default;
  absl::Status UsePacked(const StepRigOptions& options);
  void ReadWeights();
  std::vector<std::vector<int>> OwnedExperts() const;
  void FillCaches();
  absl::Status Run(const worker::BatchInput& batch, std::vector<int32_t> rows_by_rank);
  uint32_t Random();

  ModelConfig config_;
  std::unique_ptr<worker::Checkpoint> checkpoint_;
  worker::ModelWeights weights_;
  std::unique_ptr<worker::PackedStore> packed_;
  std::unique_ptr<ThreadPool> threads_;
  std::unique_ptr<worker::PoolLender> lender_;
  std::unique_ptr<kernels::KernelContext> context_;
  std::unique_ptr<worker::Decoder> decoder_;
  std::unique_ptr<worker::OutputHead> head_;
  std::unique_ptr<worker::KvCache> cache_;
  std::unique_ptr<worker::TokenDispatcher> dispatcher_;
  worker::Transport* transport_ = nullptr;
  std::vector<std::vector<int32_t>> expert_owner_;

  StepShape shape_;
  std::vector<worker::HomeSequence> sequences_;
  uint64_t step_ = 0;
  uint32_t random_ = 1;
};

}  // namespace atl::bench
