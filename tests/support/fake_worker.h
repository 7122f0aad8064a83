// FakeWorker: obeys plans as a worker must and checks each of them strictly, without a model. A
// drawn token is a pure function of the sequence's tokens so far, so that answers can be compared
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
  int32_t vocab_size = 1000;
};

// The token that follows `tokens`.
TokenId FakeDraw(const std::vector<TokenId>& tokens, int32_t vocab_size);
// What a request for `prompt` is answered, its stop id included.
std::vector<TokenId> FakeAnswer(std::vector<TokenId> prompt, int32_t max_new_tokens,
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
    std::vector<TokenId> tokens;  // prompt and drawn ones; `length` of them have run
    int32_t length = 0;
    int32_t draws = 0;
    bool ended = false;
    std::vector<BlockId> blocks;
  };
  absl::Status Free(const StepPlan& plan);
  absl::Status Start(const StepPlan& plan);
  absl::Status Run(const SequenceWork& work, StepResult& result, int32_t& spares_used);
  absl::Status TakeBlocks(const SequenceWork& work, Sequence& sequence);
  void Draw(Sequence& sequence, SequenceResult& report);

  const FakeWorkerOptions options_;
  uint64_t step_ = 0;
  std::map<SeqId, Sequence> sequences_;
  std::set<BlockId> blocks_;
  std::set<SlotId> slots_;
};

}  // namespace atl::testing
