// RequestClock: in which state a request is and for how long it was in each. Time comes in as
// values; it does not run backwards.
#pragma once

#include <cstdint>

#include "common/concurrency/clock.h"
#include "coordinator/request/request_timings.h"

namespace atl::coordinator {

class RequestClock {
 public:
  // The request is queued from `now` on.
  explicit RequestClock(MonotonicTime now) : since_(now) {}

  // A plan starts it, for the first time or to recompute it.
  void OnStart(MonotonicTime now);
  void OnTokens(MonotonicTime now);
  void OnPreempted(MonotonicTime now);

  bool started() const { return state_ != State::kQueued; }
  RequestTimings At(MonotonicTime now) const;

 private:
  // kLost: preempted and not yet started again; what steps in flight still sample changes nothing.
  enum class State : uint8_t { kQueued, kPrefill, kDecode, kLost, kRecompute };
  void Enter(State state, MonotonicTime now);

  State state_ = State::kQueued;
  MonotonicTime since_;  // in state_
  RequestTimings timings_;
};

}  // namespace atl::coordinator
