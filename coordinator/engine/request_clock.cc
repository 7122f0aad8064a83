#include "coordinator/engine/request_clock.h"

namespace atl::coordinator {

void RequestClock::OnStart(MonotonicTime now) {
  Enter(state_ == State::kQueued ? State::kPrefill : State::kRecompute, now);
}

void RequestClock::OnTokens(MonotonicTime now) {
  if (state_ != State::kLost) Enter(State::kDecode, now);
}

void RequestClock::OnPreempted(MonotonicTime now) {
  Enter(State::kLost, now);
  ++timings_.preemptions;
}

RequestTimings RequestClock::At(MonotonicTime now) const {
  RequestTimings timings = timings_;
  const absl::Duration in_state = now - since_;
  switch (state_) {
    case State::kQueued:
      timings.queued += in_state;
      break;
    case State::kPrefill:
      timings.prefill += in_state;
      break;
    case State::kDecode:
      timings.decode += in_state;
      break;
    case State::kLost:
    case State::kRecompute:
      timings.preempted += in_state;
      break;
  }
  return timings;
}

void RequestClock::Enter(State state, MonotonicTime now) {
  timings_ = At(now);
  since_ = now;
  state_ = state;
}

}  // namespace atl::coordinator
