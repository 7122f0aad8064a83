// What happens when a home's blocks run out.
#include <numeric>

#include "tests/coordinator/scheduler/scheduler_builders.h"

namespace atl::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr HomeCapacity kFourBlocks{.kv_blocks = 4, .state_slots = 4, .spares = 1};

Scheduler MakeScheduler(const std::vector<HomeCapacity>& homes = {kFourBlocks}) {
  return Scheduler({.max_num_seqs = 8, .max_num_batched_tokens = 512}, {1, 1}, homes);
}

bool Preempts(const PlannedStep& step) { return !step.preempted.empty(); }

TEST(PreemptionTest, BlocksAreTakenAsASequenceGrows) {
  Scheduler scheduler = MakeScheduler();
  scheduler.Add(SeqId{1}, MakeRequest(60, 100));
  const auto first = scheduler.PlanStep();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(scheduler.ledger(0).num_blocks_free(), 3);  // not the three it may need in the end
  ApplyAll(scheduler, *first);
  const PlannedStep grows = RunUntil(
      scheduler, [](const PlannedStep& step) { return step.plans[0].work[0].begin == 64; });
  EXPECT_EQ(grows.plans[0].work[0].new_blocks.size(), 1u);
  EXPECT_EQ(scheduler.ledger(0).num_blocks_free(), 2);
}

TEST(PreemptionTest, AnAdmissionLeavesABlockToGrowInto) {
  Scheduler scheduler = MakeScheduler();
  scheduler.Add(SeqId{1}, MakeRequest(190, 60));
  scheduler.Add(SeqId{2}, MakeRequest(60, 60));
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  EXPECT_EQ(scheduler.num_running(), 1);  // the fourth block alone would not do
  // One that never grows needs no such block.
  Scheduler other = MakeScheduler();
  other.Add(SeqId{1}, MakeRequest(190, 60));
  other.Add(SeqId{2}, MakeRequest(60, 4));
  ASSERT_TRUE(other.PlanStep().has_value());
  EXPECT_EQ(other.num_running(), 2);
}

TEST(PreemptionTest, TheLastOfTheHomeIsRecomputedWithWhatItHasSampled) {
  Scheduler scheduler = MakeScheduler();
  scheduler.Add(SeqId{1}, MakeRequest(62, 130));
  scheduler.Add(SeqId{2}, MakeRequest(60, 130));
  const PlannedStep step = RunUntil(scheduler, Preempts);
  // The older one takes its third block when both hold two.
  ASSERT_EQ(step.preempted.size(), 1u);
  EXPECT_EQ(step.preempted[0].seq, SeqId{2});
  EXPECT_THAT(step.plans[0].free, ElementsAre(SeqId{2}));
  ASSERT_EQ(step.plans[0].work.size(), 1u);
  EXPECT_EQ(step.plans[0].work[0].seq, SeqId{1});
  EXPECT_EQ(step.plans[0].work[0].new_blocks.size(), 1u);
  EXPECT_EQ(scheduler.num_waiting(), 1);
  EXPECT_EQ(scheduler.num_running(), 1);
  ApplyAll(scheduler, step);
  ASSERT_TRUE(scheduler.Remove(SeqId{1}));
  const auto again = scheduler.PlanStep();
  ASSERT_TRUE(again.has_value());
  ASSERT_EQ(again->plans[0].start.size(), 1u);
  const StartSequence& start = again->plans[0].start[0];
  EXPECT_EQ(start.seq, SeqId{2});
  EXPECT_EQ(start.prompt_length, 60);
  EXPECT_EQ(start.num_sampled, 67);
  EXPECT_EQ(start.max_new_tokens, 130);
  const SequenceWork& work = again->plans[0].work.at(0);
  EXPECT_EQ(work.begin, 0);
  EXPECT_TRUE(work.sample);
  ASSERT_EQ(work.ids.size(), 127u);
  EXPECT_EQ(work.ids[59], TokenId{159});
  EXPECT_EQ(work.ids[60], TokenId{7});
  EXPECT_EQ(work.ids[126], TokenId{7});
}

TEST(PreemptionTest, ALongSequenceIsRecomputedInChunks) {
  Scheduler scheduler({.max_num_seqs = 8, .max_num_batched_tokens = 50}, {1, 1}, {kFourBlocks});
  scheduler.Add(SeqId{1}, MakeRequest(62, 130));
  scheduler.Add(SeqId{2}, MakeRequest(60, 130));
  ApplyAll(scheduler, RunUntil(scheduler, Preempts));
  ASSERT_TRUE(scheduler.Remove(SeqId{1}));
  std::vector<int32_t> rows;
  std::vector<bool> samples;
  for (int i = 0; i < 4; ++i) {
    const auto step = scheduler.PlanStep();
    ASSERT_TRUE(step.has_value());
    rows.push_back(step->plans[0].work.at(0).num_rows);
    samples.push_back(step->plans[0].work.at(0).sample);
    ApplyAll(scheduler, *step);
  }
  EXPECT_EQ(std::accumulate(rows.begin(), rows.end(), 0), rows[2] + 101);
  EXPECT_THAT(samples, ElementsAre(false, false, true, true));
}

TEST(PreemptionTest, SamplesUnderWayCountAndComeFirst) {
  Scheduler scheduler = MakeScheduler();
  scheduler.Add(SeqId{1}, MakeRequest(62, 130));
  scheduler.Add(SeqId{2}, MakeRequest(60, 130));
  std::vector<PlannedStep> steps;
  while (steps.empty() || steps.back().preempted.empty()) steps.push_back(*scheduler.PlanStep());
  const PlannedStep& last_with_both = steps[steps.size() - 2];
  ASSERT_EQ(last_with_both.plans[0].work.size(), 2u);
  for (size_t i = 0; i + 2 < steps.size(); ++i) ApplyAll(scheduler, steps[i]);
  scheduler.Remove(SeqId{1});
  scheduler.Add(SeqId{3}, MakeRequest(5));
  // There is room now, but a sample of 2 is not reported; nobody passes it.
  const auto meanwhile = scheduler.PlanStep();
  ASSERT_TRUE(meanwhile.has_value());
  EXPECT_THAT(meanwhile->plans[0].start, IsEmpty());
  ASSERT_OK(scheduler.Apply(
      0,
      {.seq = SeqId{2}, .length = last_with_both.plans[0].work[1].begin + 1, .ids = {TokenId{9}}}));
  const auto again = scheduler.PlanStep();
  ASSERT_TRUE(again.has_value());
  ASSERT_EQ(again->plans[0].start.size(), 2u);
  EXPECT_EQ(again->plans[0].start[0].seq, SeqId{2});
  EXPECT_EQ(again->plans[0].work[0].ids.back(), TokenId{9});
  EXPECT_EQ(again->plans[0].start[1].seq, SeqId{3});
}

TEST(PreemptionTest, SamplesUnderWayMayEndIt) {
  Scheduler scheduler = MakeScheduler();
  scheduler.Add(SeqId{1}, MakeRequest(62, 130));
  scheduler.Add(SeqId{2}, MakeRequest(60, 130));
  std::vector<PlannedStep> steps;
  while (steps.empty() || steps.back().preempted.empty()) steps.push_back(*scheduler.PlanStep());
  for (size_t i = 0; i + 2 < steps.size(); ++i) ApplyAll(scheduler, steps[i]);
  const SequenceWork& last = steps[steps.size() - 2].plans[0].work.at(1);
  ASSERT_OK_AND_ASSIGN(
      const SequenceUpdate update,
      scheduler.Apply(0, {last.seq, last.begin + 1, {TokenId{9}}, FinishReason::kStop}));
  EXPECT_TRUE(update.ended());
  EXPECT_EQ(scheduler.num_waiting(), 0);
  EXPECT_FALSE(scheduler.Remove(SeqId{2}));
  EXPECT_TRUE(scheduler.Remove(SeqId{1}));
  EXPECT_EQ(scheduler.ledger(0).num_blocks_free(), 4);
}

TEST(PreemptionTest, TheLastOnePreemptsItself) {
  Scheduler scheduler = MakeScheduler();
  scheduler.Add(SeqId{1}, MakeRequest(60, 130));
  scheduler.Add(SeqId{2}, MakeRequest(64, 130));  // its third block is due first
  const PlannedStep step = RunUntil(scheduler, Preempts);
  EXPECT_EQ(step.preempted.at(0).seq, SeqId{2});
  ASSERT_EQ(step.plans[0].work.size(), 1u);
  EXPECT_THAT(step.plans[0].work[0].new_blocks, IsEmpty());
  EXPECT_EQ(scheduler.ledger(0).num_blocks_free(), 2);
  EXPECT_EQ(scheduler.num_waiting(), 1);
}

TEST(PreemptionTest, TheWorsePriorityLosesThoughItIsOlder) {
  Scheduler scheduler = MakeScheduler();
  Request patient = MakeRequest(60, 130);
  patient.priority = 1;
  scheduler.Add(SeqId{1}, patient);
  scheduler.Add(SeqId{2}, MakeRequest(62, 130));
  EXPECT_EQ(RunUntil(scheduler, Preempts).preempted.at(0).seq, SeqId{1});
}

TEST(PreemptionTest, APreemptedOneWaitsBeforeThoseThatCameLater) {
  Scheduler scheduler = MakeScheduler();
  scheduler.Add(SeqId{1}, MakeRequest(62, 130));
  scheduler.Add(SeqId{2}, MakeRequest(60, 130));
  ApplyAll(scheduler, RunUntil(scheduler, Preempts));
  scheduler.Add(SeqId{3}, MakeRequest(5));
  const auto step = scheduler.PlanStep();
  ASSERT_TRUE(step.has_value());
  EXPECT_THAT(step->plans[0].start, IsEmpty());
  EXPECT_TRUE(scheduler.Remove(SeqId{2}));
  EXPECT_EQ(scheduler.PlanStep()->plans[0].start.at(0).seq, SeqId{3});
}

TEST(PreemptionTest, AnotherHomeTakesItAtOnce) {
  HomeCapacity larger = kFourBlocks;
  larger.kv_blocks = 8;
  Scheduler scheduler = MakeScheduler({kFourBlocks, larger});
  scheduler.Add(SeqId{1}, MakeRequest(62, 130));
  scheduler.Add(SeqId{2}, MakeRequest(60, 130));  // at home in the larger
  scheduler.Add(SeqId{3}, MakeRequest(60, 130));
  const PlannedStep step = RunUntil(scheduler, Preempts);
  EXPECT_EQ(step.preempted.at(0).seq, SeqId{3});
  EXPECT_EQ(step.preempted.at(0).rank, 0);
  EXPECT_THAT(step.plans[0].free, ElementsAre(SeqId{3}));
  EXPECT_EQ(step.plans[1].start.at(0).seq, SeqId{3});
  EXPECT_EQ(step.plans[1].start.at(0).num_sampled, 67);
  EXPECT_EQ(scheduler.num_waiting(), 0);
}

TEST(PreemptionTest, WhoIsPlannedOutGivesItsBlocksAndIsNotRecomputed) {
  Scheduler scheduler = MakeScheduler();
  scheduler.Add(SeqId{1}, MakeRequest(60, 130));
  scheduler.Add(SeqId{2}, MakeRequest(60, 69));  // its last sample is planned when 1 needs a block
  std::vector<PlannedStep> steps;
  while (steps.size() < 70) steps.push_back(*scheduler.PlanStep());
  EXPECT_THAT(steps.back().preempted, IsEmpty());
  EXPECT_THAT(steps.back().plans[0].free, ElementsAre(SeqId{2}));
  EXPECT_EQ(scheduler.num_waiting(), 0);
  for (const PlannedStep& step : steps) ApplyAll(scheduler, step);
  EXPECT_FALSE(scheduler.Remove(SeqId{2}));
}

TEST(PreemptionTest, ALateReportOfTheWrongHomeIsRefused) {
  Scheduler scheduler = MakeScheduler();
  scheduler.Add(SeqId{1}, MakeRequest(62, 130));
  scheduler.Add(SeqId{2}, MakeRequest(60, 130));
  ApplyAll(scheduler, RunUntil(scheduler, Preempts));
  EXPECT_STATUS(scheduler.Apply(0, {.seq = SeqId{2}, .length = 130, .ids = {TokenId{7}}}),
                absl::StatusCode::kDataLoss, "in 0 steps");
}

}  // namespace
}  // namespace atl::coordinator
