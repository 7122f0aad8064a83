// RequestClock: in which state a request is and for how long it was in each. Time comes in as
// values; it does not run backwards.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "coordinator/engine/request_timings.h"

namespace atl::coordinator {

class RequestClock {
 public:
  // The request is queued from `now` on.
  explicit RequestClock(absl::Time now) : since_(now) {}

  // A plan starts it, for the first time or to recompute it.
  void OnStart(absl::Time now);
  void OnTokens(absl::Time now);
  void OnPreempted(absl::Time now);

  bool started() const { return state_ != State::kQueued; }
  RequestTimings At(absl::Time now) const;

 private:
  // kLost: preempted and not yet started again; what steps in flight still draw changes nothing.
  enum class State : uint8_t { kQueued, kPrefill, kDecode, kLost, kRecompute };
  void Enter(State state, absl::Time now);

  State state_ = State::kQueued;
  absl::Time since_;  // in state_
  RequestTimings timings_;
};

}  // namespace atl::coordinator
