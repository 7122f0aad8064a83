// Clock: the one time in which deadlines and times of life are measured. It only goes forwards,
// whatever happens to the wall clock. Wall time is for people to read (created, the access log) and
// decides nothing.
//
//   const MonotonicTime due = clock.Now() + absl::Seconds(5);
//   if (clock.Now() >= due) GiveUp();
#pragma once

#include <compare>

#include "absl/time/time.h"

namespace atl {

// A moment of this process's life: it means nothing to another process, and nothing to people.
class MonotonicTime {
 public:
  constexpr MonotonicTime() = default;  // the clock's zero
  constexpr explicit MonotonicTime(absl::Duration since_zero) : since_zero_(since_zero) {}
  static constexpr MonotonicTime InfinitePast() { return MonotonicTime(-absl::InfiniteDuration()); }
  static constexpr MonotonicTime InfiniteFuture() {
    return MonotonicTime(absl::InfiniteDuration());
  }

  friend absl::Duration operator-(MonotonicTime a, MonotonicTime b) {
    return a.since_zero_ - b.since_zero_;
  }
  friend MonotonicTime operator+(MonotonicTime time, absl::Duration by) {
    return MonotonicTime(time.since_zero_ + by);
  }
  friend bool operator==(MonotonicTime a, MonotonicTime b) {
    return a.since_zero_ == b.since_zero_;
  }
  friend std::strong_ordering operator<=>(MonotonicTime a, MonotonicTime b) {
    if (a.since_zero_ == b.since_zero_) return std::strong_ordering::equal;
    return a.since_zero_ < b.since_zero_ ? std::strong_ordering::less
                                         : std::strong_ordering::greater;
  }

 private:
  absl::Duration since_zero_{};
};

// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime Now() const = 0;
};

// CLOCK_MONOTONIC. Lives as long as the process.
const Clock& RealClock();

}  // namespace atl
