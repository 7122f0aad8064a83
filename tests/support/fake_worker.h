// FakeWorker: obeys plans as a worker must and checks each of them strictly, without a model. A
// sampled token is a pure function of the sequence's tokens so far, so that answers can be compared
// whatever the batch.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/step/step_plan.h"

namespace atl::testing {

struct FakeWorkerOptions {
  int32_t rank = 0;
  int32_t kv_blocks = 64;
  int32_t state_slots = 8;
  int32_t spares = 1;
  int32_t late_rows = 1;
  int32_t tokens_per_step = 1;
  int64_t bytes_per_block = 1000;
  int64_t bytes_per_state = 5000;
  int32_t vocab_size = 1000;

  HomeCapacity capacity() const {
    return {.kv_blocks = kv_blocks,
            .state_slots = state_slots,
            .spares = spares,
            .late_rows = late_rows,
            .tokens_per_step = tokens_per_step,
            .bytes_per_block = bytes_per_block,
            .bytes_per_state = bytes_per_state};
  }
};

// The token that follows `tokens`.
TokenId FakeSample(const std::vector<TokenId>& tokens, int32_t vocab_size);
// What a request for `prompt` is answered, its stop id included.
std::vector<TokenId> FakeAnswer(const std::vector<TokenId>& prompt, int32_t max_new_tokens,
                                const std::vector<TokenId>& stop_ids, int32_t vocab_size);

class FakeWorker {
 public:
  explicit FakeWorker(FakeWorkerOptions options) : options_(options) {}

  // kFailedPrecondition: the plan breaks the protocol; the message says how.
  absl::StatusOr<StepResult> Execute(const StepPlan& plan);

  int64_t num_live() const { return static_cast<int64_t>(sequences_.size()); }

 private:
  struct Sequence {
    StartSequence start;
    uint64_t hash = 0;   // of its tokens
    int32_t tokens = 0;  // known or sampled; `length` of them have run
    int32_t length = 0;
    int32_t samples = 0;  // those before it was preempted included
    TokenId next_id{-1};  // of the prompt, where a plan has told it
    bool ended = false;
    std::vector<BlockId> blocks;

    int32_t known_length() const { return start.prompt_length + start.num_sampled; }
  };
  absl::Status Free(const StepPlan& plan);
  absl::Status Start(const StepPlan& plan);
  absl::Status Run(const SequenceWork& work, StepResult& result, int32_t& spares_used);
  absl::Status CheckWork(const SequenceWork& work, const Sequence& sequence) const;
  absl::Status TakeBlocks(const SequenceWork& work, Sequence& sequence);
  absl::Status TakeDelta(const SequenceWork& work, Sequence& sequence);
  void ReportProbe(const SequenceWork& work, StepResult& result) const;
  // What a decoding sequence is given in a step of `rows`: 1 … rows, by its tokens alone.
  void Sample(Sequence& sequence, int32_t samples, SequenceResult& report);

  const FakeWorkerOptions options_;
  uint64_t step_ = 0;
  std::map<SeqId, Sequence> sequences_;
  std::set<BlockId> blocks_;
  std::set<SlotId> slots_;
};

}  // namespace atl::testing
