// StepPlan → BatchInput: the rows of a step on this rank, in the order of the plan's work.
#pragma once

#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/step/home_capacity.h"
#include "common/step/step_plan.h"
#include "worker/batch/sequence_table.h"
#include "worker/kv_cache/sequence_rows.h"

namespace atl::worker {

// What this worker can hold; a plan that asks for more is refused.
struct BatchLimits {
  HomeCapacity home{};
  int32_t vocab_size = 0;
};

struct BatchEntry {
  HomeSequence* sequence = nullptr;
  const SequenceWork* work = nullptr;
};

// ids and positions are T long; entries[i] and rows[i] are the same sequence. Ended sequences
// contribute nothing.
struct BatchInput {
  std::vector<TokenId> ids;
  std::vector<int32_t> positions;
  std::vector<SequenceRows> rows;
  std::vector<BatchEntry> entries;
};

// Checks the whole plan against the table before anything of it is done. kFailedPrecondition: a
// wrong begin, an unknown sequence, slot or block, rows without blocks, rows beyond what prompt and
// sampled tokens are or a sample before their end, more rows without ids than tokens_per_step,
// more long chunks than spares; kUnimplemented: a rope factor of its own. The table is as it was.
absl::Status ValidatePlan(const StepPlan& plan, const SequenceTable& table,
                          const BatchLimits& limits);

// Frees, starts and extends sequences as the plan says. After ValidatePlan. Returns the blocks that
// were taken, to be zeroed, and the slots that begin anew.
struct Taken {
  std::vector<BlockId> blocks;
  std::vector<SlotId> slots;
};
Taken ApplyPlan(const StepPlan& plan, SequenceTable& table);

// The rows to run. Pointers and spans are valid until the table changes. After ApplyPlan.
BatchInput BuildBatch(const StepPlan& plan, SequenceTable& table, const BatchLimits& limits);

}  // namespace atl::worker
