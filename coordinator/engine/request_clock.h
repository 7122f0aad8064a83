// RequestClock: in which state a request is and for how long it was in each. Time comes in as
// values; it does not run backwards.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "common/concurrency/clock.h"

namespace atl::coordinator {

// Where the time of one request went. Queued: until the first plan that starts it. Prefill: from
// there until the first token. Preempted: from losing its blocks until its next token, recomputing
// included. Decode: the rest.
struct RequestTimings {
  absl::Duration queued{};
  absl::Duration prefill{};
  absl::Duration decode{};
  absl::Duration preempted{};
  int32_t preemptions = 0;
};

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
  // kLost: preempted and not yet started again; what steps in flight still draw changes nothing.
  enum class State : uint8_t { kQueued, kPrefill, kDecode, kLost, kRecompute };
  void Enter(State state, MonotonicTime now);

  State state_ = State::kQueued;
  MonotonicTime since_;  // in state_
  RequestTimings timings_;
};

}  // namespace atl::coordinator
