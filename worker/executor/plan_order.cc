#include "worker/executor/plan_order.h"

namespace atl::worker {

absl::Status CheckOrder(const StepPlan& plan, const EpochPosition& position) {
  if (!position.epoch) return FailedPrecondition("step {}: no epoch has begun", plan.step);
  if (plan.epoch != *position.epoch) {
    return FailedPrecondition("step {} is of epoch {}.{}, this worker is in {}.{}", plan.step,
                              plan.epoch.term, plan.epoch.number, position.epoch->term,
                              position.epoch->number);
  }
  if (plan.step <= position.last_step) {
    return FailedPrecondition("step {} comes after step {}", plan.step, position.last_step);
  }
  if (plan.rows_by_rank.size() != position.num_ranks) {
    return FailedPrecondition("step {}: rows of {} ranks, the epoch has {}", plan.step,
                              plan.rows_by_rank.size(), position.num_ranks);
  }
  int64_t planned = 0;
  for (const SequenceWork& work : plan.work) planned += work.num_rows;
  const int32_t announced = plan.rows_by_rank[static_cast<size_t>(position.rank)];
  if (planned > announced) {
    return FailedPrecondition("step {}: {} rows of work, {} announced", plan.step, planned,
                              announced);
  }
  return absl::OkStatus();
}

}  // namespace atl::worker
