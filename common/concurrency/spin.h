// SpinUntil: waits a bounded while without sleeping.
#pragma once

#include <immintrin.h>
#include <sched.h>

#include <chrono>

namespace atl {

// Polls `ready` until it is true (returns true) or `limit` has passed (returns false); a limit of
// zero polls once. After the first polls it yields between them: with more threads than cores the
// one that is waited for may need this very core.
template <typename Ready>
bool SpinUntil(std::chrono::nanoseconds limit, Ready&& ready) {
  constexpr int kPollsBeforeYield = 16;
  if (ready()) return true;
  const auto end = std::chrono::steady_clock::now() + limit;
  for (int polls = 0; std::chrono::steady_clock::now() < end; ++polls) {
    if (ready()) return true;
    if (polls < kPollsBeforeYield) {
      _mm_pause();
    } else {
      sched_yield();
    }
  }
  return false;
}

}  // namespace atl
