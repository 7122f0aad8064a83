// FakeClock: time that passes when a test says so.
#pragma once

#include <atomic>
#include <cstdint>

#include "common/concurrency/clock.h"

namespace atl::testing {

// Any thread.
class FakeClock final : public Clock {
 public:
  MonotonicTime Now() const override {
    return MonotonicTime(absl::Nanoseconds(nanoseconds_.load()));
  }
  void Advance(absl::Duration by) { nanoseconds_ += absl::ToInt64Nanoseconds(by); }

 private:
  // Not zero, and not what any other clock says.
  std::atomic<int64_t> nanoseconds_{absl::ToInt64Nanoseconds(absl::Hours(278))};
};

}  // namespace atl::testing
