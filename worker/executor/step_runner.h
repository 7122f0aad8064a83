// StepRunner: what a worker does with its orders, whatever computes the tokens. WorkerProcess knows
// only this; a checkpoint's layers and a script stand behind it.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/step/step_plan.h"

namespace atl::worker {

// **Threads**: all calls come from the executor thread, but for hello and EndEpoch, which come from
// any.
class StepRunner {
 public:
  virtual ~StepRunner() = default;

  // What this worker says of itself; the same for its whole life, without term_max.
  virtual const WorkerHello& hello() const = 0;

  // Leaves the epoch before and meets the peers of this one. Until it succeeds plans are refused.
  virtual absl::Status JoinEpoch(const EpochStart& start) = 0;
  // After JoinEpoch.
  virtual WorkerReady MakeReady() const = 0;

  // Never fails as a call: what went wrong stands in the result's status.
  virtual StepResult Execute(const StepPlan& plan) = 0;

  // Called now and then while no order comes.
  virtual void Progress() = 0;
  // A step that waits for peers gives up.
  virtual void EndEpoch(const std::string& reason) = 0;
};

}  // namespace atl::worker
