#include "coordinator/engine/retry_estimate.h"

#include <algorithm>

namespace atl::coordinator {

void RetryEstimate::OnBusy(MonotonicTime now) {
  since_ = now;
  ends_.clear();
}

void RetryEstimate::OnEnd(MonotonicTime now) {
  ends_.push_back(now);
  if (ends_.size() <= kEndsMax) return;
  since_ = ends_.front();
  ends_.pop_front();
}

absl::Duration RetryEstimate::Until(int32_t num_waiting, MonotonicTime now) const {
  if (since_ == MonotonicTime::InfinitePast()) return kMin;
  // One end more than were seen: before the first, the time that has gone is all that is known.
  const absl::Duration each = (now - since_) / static_cast<double>(ends_.size() + 1);
  return std::clamp(each * (num_waiting + 1), kMin, kMax);
}

}  // namespace atl::coordinator
