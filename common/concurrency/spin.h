// SpinUntil: waits a bounded while without sleeping.
#pragma once

#include <immintrin.h>
#include <sched.h>

#include <chrono>

namespace atl {

// Polls `ready` until it is true (returns true) or `limit` has passed (returns false); a limit of
// zero polls once. It yields between polls once the wait is longer than what usually lies between
// two parallel regions: with more threads than cores the one that is waited for may need this very
// core, but the way into the kernel and back answers a microsecond or two later.
template <typename Ready>
bool SpinUntil(std::chrono::nanoseconds limit, Ready&& ready) {
  constexpr std::chrono::microseconds kBeforeYield(5);
  if (ready()) return true;
  const auto start = std::chrono::steady_clock::now();
  for (std::chrono::nanoseconds waited{0}; waited < limit;
       waited = std::chrono::steady_clock::now() - start) {
    if (ready()) return true;
    if (waited < kBeforeYield) {
      _mm_pause();
    } else {
      sched_yield();
    }
  }
  return false;
}

}  // namespace atl
