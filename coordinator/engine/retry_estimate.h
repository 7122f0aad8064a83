// RetryEstimate: how long one who is turned away should wait, from the requests that ended since
// the engine last had nothing to do. Engine thread only; time comes in as values.
#pragma once

#include <cstdint>
#include <deque>

#include "absl/time/time.h"
#include "common/concurrency/clock.h"

namespace atl::coordinator {

class RetryEstimate {
 public:
  static constexpr absl::Duration kMin = absl::Seconds(1);
  static constexpr absl::Duration kMax = absl::Seconds(60);

  // A request came while none was alive: what was before says nothing of the load that begins.
  void OnBusy(MonotonicTime now);
  // A request left, for whatever reason.
  void OnEnd(MonotonicTime now);
  // Until `num_waiting` requests and one more will have left, within kMin and kMax.
  absl::Duration Until(int32_t num_waiting, MonotonicTime now) const;

 private:
  static constexpr size_t kEndsMax = 64;
  MonotonicTime since_ = MonotonicTime::InfinitePast();
  std::deque<MonotonicTime> ends_;  // after since_
};

}  // namespace atl::coordinator
