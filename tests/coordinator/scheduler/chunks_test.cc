// How prompts are cut to a step-time target.
#include "tests/coordinator/scheduler/scheduler_builders.h"

namespace atl::coordinator {
namespace {

using ::testing::ElementsAre;

constexpr HomeCapacity kHome{.kv_blocks = 2'000, .state_slots = 64, .spares = 2};
constexpr int64_t kTargetUs = 50'000;

Scheduler MakeScheduler(const std::vector<HomeCapacity>& homes = {kHome}) {
  return Scheduler(
      {.max_num_seqs = 64, .max_num_batched_tokens = 4'096, .step_time_target_us = kTargetUs},
      {1, 1}, homes);
}

// 200 µs a step, 500 a decode row, 100 a prompt row.
int64_t DurationOf(const StepShape& shape) {
  return 200 + 500 * shape.decode_rows + 100 * shape.prefill_rows;
}

// Runs `num_steps` steps on that machine.
std::vector<PlannedStep> RunSteps(Scheduler& scheduler, int num_steps) {
  std::vector<PlannedStep> steps;
  for (int i = 0; i < num_steps; ++i) {
    std::optional<PlannedStep> step = scheduler.PlanStep();
    if (!step) break;
    ApplyAll(scheduler, *step);
    int64_t duration = 0;
    for (const StepShape& shape : step->shapes) duration = std::max(duration, DurationOf(shape));
    scheduler.ObserveStep(step->shapes, duration);
    steps.push_back(*std::move(step));
  }
  return steps;
}

TEST(ChunksTest, AreCutToTheTargetOnceTheMachineIsKnown) {
  Scheduler scheduler = MakeScheduler();
  scheduler.Add(SeqId{1}, MakeRequest(40'000));
  const std::vector<PlannedStep> steps = RunSteps(scheduler, 60);
  EXPECT_LE(steps[0].prefill_rows, 128);
  for (size_t i = 0; i < steps.size(); ++i) {
    EXPECT_LT(DurationOf(steps[i].shapes[0]), kTargetUs * 6 / 5) << i;
    EXPECT_LE(steps[i].predicted_us, kTargetUs);
  }
  EXPECT_GT(steps.back().prefill_rows, 450);  // 498 would be all
}

TEST(ChunksTest, GetAShareWhereAnswersAloneMissTheTarget) {
  Scheduler scheduler(
      {.max_num_seqs = 400, .max_num_batched_tokens = 4'096, .step_time_target_us = kTargetUs},
      {1, 1}, {{.kv_blocks = 20'000, .state_slots = 400, .spares = 2}});
  // 200 answers: 100,200 us a step. Prompts of 40 tokens: 4,000 us each.
  for (uint64_t i = 1; i <= 200; ++i) scheduler.Add(SeqId{i}, MakeRequest(10, 2'000));
  RunSteps(scheduler, 60);
  ASSERT_EQ(scheduler.num_waiting(), 0);
  for (uint64_t i = 201; i <= 300; ++i) scheduler.Add(SeqId{i}, MakeRequest(40, 2'000));
  const std::vector<PlannedStep> steps = RunSteps(scheduler, 30);
  EXPECT_EQ(scheduler.num_waiting(), 0);  // 100 x 4 ms within 30 x 25 ms
  for (const PlannedStep& step : steps) {
    EXPECT_LE(DurationOf(step.shapes[0]), (200 + 500 * step.decode_rows) * 14 / 10);
  }
}

TEST(ChunksTest, LeaveTheirTimeToAnswers) {
  Scheduler scheduler = MakeScheduler();
  for (uint64_t i = 1; i <= 50; ++i) scheduler.Add(SeqId{i}, MakeRequest(10, 1'000));
  RunSteps(scheduler, 30);
  scheduler.Add(SeqId{51}, MakeRequest(60'000));
  const std::vector<PlannedStep> steps = RunSteps(scheduler, 100);
  for (const PlannedStep& step : steps) {
    EXPECT_EQ(step.decode_rows, 50);
    EXPECT_LT(DurationOf(step.shapes[0]), kTargetUs * 6 / 5);
  }
  EXPECT_GT(steps.back().prefill_rows, 200);  // 248 would be all
}

TEST(ChunksTest, MoveOnWhenAnswersTakeAllTheTime) {
  Scheduler scheduler = MakeScheduler({kHome});
  scheduler.Add(SeqId{1}, MakeRequest(10, 1'000));
  RunSteps(scheduler, 1);
  for (int i = 0; i < 20; ++i) {  // a decode row alone misses the target
    const auto step = scheduler.PlanStep();
    ApplyAll(scheduler, *step);
    scheduler.ObserveStep(step->shapes, 4 * kTargetUs);
  }
  scheduler.Add(SeqId{2}, MakeRequest(40));
  scheduler.Add(SeqId{3}, MakeRequest(10));
  std::vector<int32_t> rows;
  for (int i = 0; i < 4; ++i) rows.push_back(scheduler.PlanStep()->prefill_rows);
  EXPECT_THAT(rows, ElementsAre(16, 16, 8, 10));  // one prompt a step, in chunks of at least 16
}

TEST(ChunksTest, EachHomeHasTheWholeTime) {
  Scheduler scheduler = MakeScheduler({kHome, kHome});
  scheduler.Add(SeqId{1}, MakeRequest(40'000));
  scheduler.Add(SeqId{2}, MakeRequest(40'000));
  const PlannedStep step = RunSteps(scheduler, 40).back();
  EXPECT_GT(step.shapes[0].prefill_rows, 400);
  EXPECT_GT(step.shapes[1].prefill_rows, 400);
  EXPECT_LE(step.predicted_us, kTargetUs);
}

TEST(ChunksTest, GoToTheBetterPriorityFirst) {
  Scheduler scheduler({.max_num_seqs = 8, .max_num_batched_tokens = 64}, {1, 1}, {kHome});
  scheduler.Add(SeqId{1}, MakeRequest(640));
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  Request urgent = MakeRequest(40);
  urgent.priority = -1;
  scheduler.Add(SeqId{2}, MakeRequest(30));
  scheduler.Add(SeqId{3}, urgent);
  // It runs no chunk before a prompt that has begun, but is admitted before one that came earlier.
  std::vector<SeqId> started;
  while (scheduler.num_waiting() > 0) {
    const auto step = scheduler.PlanStep();
    for (const StartSequence& start : step->plans[0].start) started.push_back(start.seq);
  }
  EXPECT_THAT(started, ElementsAre(SeqId{3}, SeqId{2}));
}

TEST(ChunksTest, GiveTheNextTokenOfThePromptWhereItsProbabilityIsAskedFor) {
  Scheduler scheduler({.max_num_seqs = 8, .max_num_batched_tokens = 32}, {1, 1}, {kHome});
  Request request = MakeRequest(70);
  request.top_logprobs = 0;
  request.prompt_logprobs = true;
  scheduler.Add(SeqId{1}, request);
  std::vector<TokenId> next;
  for (int i = 0; i < 3; ++i) next.push_back(scheduler.PlanStep()->plans[0].work.at(0).next_id);
  EXPECT_THAT(next, ElementsAre(TokenId{132}, TokenId{164}, TokenId{-1}));
  scheduler.Add(SeqId{2}, MakeRequest(100));
  EXPECT_EQ(scheduler.PlanStep()->plans[0].work.at(1).next_id, TokenId{-1});
}

}  // namespace
}  // namespace atl::coordinator
