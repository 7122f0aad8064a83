// A wall clock that a test can move. A program that uses it has a clock_gettime of its own, which
// its libraries call too: absl::Now and std::chrono::system_clock show the moved time.
#pragma once

#include "absl/time/time.h"

namespace atl::testing {

// From now on the wall clock is off by `by`, in whole seconds. Any thread.
void SetWallClockOffset(absl::Duration by);

}  // namespace atl::testing
