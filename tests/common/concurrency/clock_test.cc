#include "common/concurrency/clock.h"

#include <gtest/gtest.h>

namespace atl {
namespace {

TEST(MonotonicTimeTest, CountsAndCompares) {
  const MonotonicTime zero;
  const MonotonicTime later = zero + absl::Seconds(2);
  EXPECT_EQ(later - zero, absl::Seconds(2));
  EXPECT_LT(zero, later);
  EXPECT_EQ(later + -absl::Seconds(2), zero);
}

TEST(MonotonicTimeTest, InfinityStaysWhatItIs) {
  const MonotonicTime never = MonotonicTime::InfiniteFuture();
  EXPECT_EQ(never + absl::Seconds(1), never);
  EXPECT_EQ(never - MonotonicTime(), absl::InfiniteDuration());
  EXPECT_LT(MonotonicTime(absl::Hours(1'000'000)), never);
  EXPECT_LT(MonotonicTime::InfinitePast(), MonotonicTime());
}

TEST(RealClockTest, GoesForwards) {
  const MonotonicTime first = RealClock().Now();
  MonotonicTime next = first;
  while (next == first) next = RealClock().Now();
  EXPECT_GT(next, first);
}

}  // namespace
}  // namespace atl
