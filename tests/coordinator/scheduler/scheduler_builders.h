// Requests, homes and obedient reports for the scheduler's tests.
#pragma once

#include <vector>

#include "coordinator/scheduler/scheduler.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {

inline Request MakeRequest(int32_t prompt_tokens, int32_t max_new_tokens = 8) {
  Request request;
  for (int32_t i = 0; i < prompt_tokens; ++i) request.prompt.push_back(TokenId{100 + i});
  request.max_new_tokens = max_new_tokens;
  request.seed = 1;
  return request;
}

// What an obedient worker reports for a step in which nothing ended early: each sample is token 7,
// and of a step that may bring several tokens `several` are sampled.
inline void ApplyAll(Scheduler& scheduler, const PlannedStep& step, int32_t several = 1) {
  for (size_t rank = 0; rank < step.plans.size(); ++rank) {
    for (const SequenceWork& work : step.plans[rank].work) {
      const bool decodes = work.ids.empty();
      const int32_t rows = decodes ? std::min(work.num_rows, several) : work.num_rows;
      SequenceResult result{.seq = work.seq, .length = work.begin + rows};
      if (work.sample) result.ids.assign(static_cast<size_t>(decodes ? rows : 1), TokenId{7});
      ASSERT_OK(scheduler.Apply(static_cast<int32_t>(rank), result));
    }
  }
}

// Plans and reports steps until `done` says so; the last plan is not reported.
template <typename Done>
PlannedStep RunUntil(Scheduler& scheduler, Done done) {
  for (int i = 0; i < 10'000; ++i) {
    std::optional<PlannedStep> step = scheduler.PlanStep();
    if (!step) break;
    if (done(*step)) return *std::move(step);
    ApplyAll(scheduler, *step);
    if (::testing::Test::HasFatalFailure()) break;
  }
  ADD_FAILURE() << "the step that the test waits for did not come";
  return {};
}

}  // namespace atl::coordinator
