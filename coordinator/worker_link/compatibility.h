// Which workers may serve together.
#pragma once

#include "common/base/status.h"
#include "common/step/step_plan.h"

namespace atl::coordinator {

// kFailedPrecondition, in words for the worker's log: another wire version than this coordinator's,
// or another model or dtype than `first`, a worker that has joined (null: none has).
absl::Status CheckCompatible(const WorkerHello& hello, const WorkerHello* first);

}  // namespace atl::coordinator
