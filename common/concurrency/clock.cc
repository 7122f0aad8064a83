#include "common/concurrency/clock.h"

#include <chrono>

namespace atl {
namespace {

class SteadyClock final : public Clock {
 public:
  MonotonicTime Now() const override {
    return MonotonicTime(absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
  }
};

}  // namespace

const Clock& RealClock() {
  static const SteadyClock clock;
  return clock;
}

}  // namespace atl
