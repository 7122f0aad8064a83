// How long a request was in which state, from the engine that measures it to the answer.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

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

}  // namespace atl::coordinator
