// The time that a script takes, and a way to let it pass.
#pragma once

#include <chrono>

namespace atl::worker {

class StepClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  virtual ~StepClock() = default;
  virtual Time Now() = 0;
  // Returns at once when `deadline` has passed.
  virtual void SleepUntil(Time deadline) = 0;
};

}  // namespace atl::worker
