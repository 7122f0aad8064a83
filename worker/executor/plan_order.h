// Whether a plan is the next one of this worker's epoch: asked before anything in it is looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/base/status.h"
#include "common/step/step_plan.h"

namespace atl::worker {

// Where a worker stands.
struct EpochPosition {
  std::optional<Epoch> epoch{};  // nothing: none has begun
  int32_t rank = 0;
  size_t num_ranks = 0;
  uint64_t last_step = 0;
};

// kFailedPrecondition: another epoch, a step that is not above the last, rows of other ranks than
// the epoch's, or more rows of work than the plan announces for this rank.
absl::Status CheckOrder(const StepPlan& plan, const EpochPosition& position);

}  // namespace atl::worker
