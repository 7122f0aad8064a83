#include "coordinator/scheduler/scheduler.h"

#include <array>

#include "tests/coordinator/scheduler/scheduler_builders.h"

namespace atl::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

HomeCapacity Capacity() {
  return {.kv_blocks = 100, .state_slots = 16, .spares = 1, .late_rows = 1};
}

Scheduler MakeScheduler(int32_t num_homes, int32_t rows_max = 64) {
  return Scheduler({.max_num_seqs = 32, .max_num_batched_tokens = rows_max}, {1, 1},
                   std::vector<HomeCapacity>(static_cast<size_t>(num_homes), Capacity()));
}

TEST(SchedulerTest, WithoutRequestsThereIsNoStep) {
  Scheduler scheduler = MakeScheduler(2);
  EXPECT_FALSE(scheduler.PlanStep().has_value());
}

TEST(SchedulerTest, AShortPromptRunsAtOnceAndSamples) {
  Scheduler scheduler = MakeScheduler(2);
  scheduler.Add(SeqId{1}, MakeRequest(3));
  const auto step = scheduler.PlanStep();
  ASSERT_TRUE(step.has_value());
  ASSERT_EQ(step->plans.size(), 2u);
  for (const StepPlan& plan : step->plans) {
    EXPECT_EQ(plan.epoch, (Epoch{1, 1}));
    EXPECT_EQ(plan.step, 1u);
    EXPECT_THAT(plan.rows_by_rank, ElementsAre(3, 0));
    EXPECT_THAT(plan.free, IsEmpty());
  }
  EXPECT_THAT(step->plans[1].start, IsEmpty());
  EXPECT_THAT(step->plans[1].work, IsEmpty());
  ASSERT_EQ(step->plans[0].start.size(), 1u);
  EXPECT_EQ(step->plans[0].start[0].seq, SeqId{1});
  EXPECT_EQ(step->plans[0].start[0].prompt_length, 3);
  EXPECT_EQ(step->plans[0].start[0].max_new_tokens, 8);
  ASSERT_EQ(step->plans[0].work.size(), 1u);
  const SequenceWork& work = step->plans[0].work[0];
  EXPECT_EQ(work.begin, 0);
  EXPECT_THAT(work.ids, ElementsAre(TokenId{100}, TokenId{101}, TokenId{102}));
  EXPECT_EQ(work.new_blocks.size(), 1u);
  EXPECT_TRUE(work.sample);
}

TEST(SchedulerTest, PlansAheadOfTheReportsFromPredictedLengths) {
  Scheduler scheduler = MakeScheduler(1);
  scheduler.Add(SeqId{1}, MakeRequest(63, 3));
  std::vector<PlannedStep> steps;
  while (auto step = scheduler.PlanStep()) steps.push_back(std::move(*step));
  // One sample at the end of the prompt, two more, and none is planned beyond max_new_tokens.
  ASSERT_EQ(steps.size(), 3u);
  const SequenceWork& second = steps[1].plans[0].work[0];
  EXPECT_EQ(second.begin, 63);
  EXPECT_THAT(second.ids, IsEmpty());
  EXPECT_THAT(second.new_blocks, IsEmpty());
  EXPECT_TRUE(second.sample);
  EXPECT_EQ(steps[1].decode_rows, 1);
  EXPECT_EQ(steps[1].prefill_rows, 0);
  const SequenceWork& third = steps[2].plans[0].work[0];
  EXPECT_EQ(third.begin, 64);
  EXPECT_EQ(third.new_blocks.size(), 1u);
  for (const PlannedStep& step : steps) ApplyAll(scheduler, step);
  EXPECT_EQ(scheduler.num_running(), 0);
  EXPECT_EQ(scheduler.ledger(0).num_blocks_free(), 100);
}

TEST(SchedulerTest, ALongPromptIsCutAndOnlyItsEndSamples) {
  Scheduler scheduler = MakeScheduler(1, 32);
  scheduler.Add(SeqId{1}, MakeRequest(70));
  std::vector<int32_t> rows;
  std::vector<bool> samples;
  for (int i = 0; i < 3; ++i) {
    const auto step = scheduler.PlanStep();
    ASSERT_TRUE(step.has_value());
    rows.push_back(step->plans[0].work.at(0).num_rows);
    samples.push_back(step->plans[0].work.at(0).sample);
    EXPECT_EQ(step->plans[0].work.at(0).ids.at(0), TokenId{100 + i * 32});
  }
  EXPECT_THAT(rows, ElementsAre(32, 32, 6));
  EXPECT_THAT(samples, ElementsAre(false, false, true));
}

TEST(SchedulerTest, DecodeRowsComeFirstAndPrefillTakesTheRest) {
  Scheduler scheduler = MakeScheduler(1, 32);
  scheduler.Add(SeqId{1}, MakeRequest(5));
  scheduler.Add(SeqId{2}, MakeRequest(6));
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  scheduler.Add(SeqId{3}, MakeRequest(100));
  const auto step = scheduler.PlanStep();
  ASSERT_TRUE(step.has_value());
  ASSERT_EQ(step->plans[0].work.size(), 3u);
  EXPECT_EQ(step->plans[0].work[0].seq, SeqId{1});
  EXPECT_EQ(step->plans[0].work[1].seq, SeqId{2});
  EXPECT_EQ(step->plans[0].work[2].seq, SeqId{3});
  EXPECT_EQ(step->plans[0].work[2].num_rows, 30);
  EXPECT_EQ(step->decode_rows, 2);
  EXPECT_EQ(step->prefill_rows, 30);
  EXPECT_THAT(step->plans[0].rows_by_rank, ElementsAre(32));
}

TEST(SchedulerTest, EightStreamsOfAnyLengthSpreadFourAndFourOverTwoHomes) {
  Scheduler scheduler = MakeScheduler(2, 512);
  const std::array<int32_t, 8> lengths = {400, 1, 2, 300, 5, 5, 60, 1};
  for (size_t i = 0; i < lengths.size(); ++i) {
    scheduler.Add(SeqId{i + 1}, MakeRequest(lengths[i]));
  }
  while (scheduler.num_waiting() > 0) ASSERT_TRUE(scheduler.PlanStep().has_value());
  EXPECT_EQ(scheduler.ledger(0).num_sequences(), 4);
  EXPECT_EQ(scheduler.ledger(1).num_sequences(), 4);
}

TEST(SchedulerTest, TheFirstOfTheQueueBlocksThoseBehind) {
  Scheduler scheduler = MakeScheduler(1, 8192);
  scheduler.Add(SeqId{1}, MakeRequest(64 * 60));  // 60 of 100 blocks and one to grow into
  scheduler.Add(SeqId{2}, MakeRequest(64 * 50));
  scheduler.Add(SeqId{3}, MakeRequest(1, 1));
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  EXPECT_EQ(scheduler.num_running(), 1);
  EXPECT_EQ(scheduler.num_waiting(), 2);
  EXPECT_TRUE(scheduler.Remove(SeqId{1}));
  const auto step = scheduler.PlanStep();
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(scheduler.num_running(), 2);
  // What comes free is named in the very plan that gives it out again.
  EXPECT_THAT(step->plans[0].free, ElementsAre(SeqId{1}));
}

TEST(SchedulerTest, MaxNumSeqsHoldsOverAllHomes) {
  Scheduler scheduler({.max_num_seqs = 3, .max_num_batched_tokens = 64}, {1, 1},
                      {Capacity(), Capacity()});
  for (uint64_t i = 1; i <= 5; ++i) scheduler.Add(SeqId{i}, MakeRequest(2));
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  EXPECT_EQ(scheduler.num_running(), 3);
  EXPECT_EQ(scheduler.num_waiting(), 2);
}

TEST(SchedulerTest, OnlyAsManyLongContinuingChunksAsSpares) {
  Scheduler scheduler({.max_num_seqs = 8, .max_num_batched_tokens = 40}, {1, 1},
                      {{.kv_blocks = 100, .state_slots = 8, .spares = 1, .late_rows = 2}});
  scheduler.Add(SeqId{1}, MakeRequest(30));
  scheduler.Add(SeqId{2}, MakeRequest(100));
  scheduler.Add(SeqId{3}, MakeRequest(100));
  const auto first = scheduler.PlanStep();  // 30 rows, 10 rows: first chunks need no spare
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->plans[0].work.at(1).num_rows, 10);
  EXPECT_EQ(scheduler.num_running(), 2);
  const auto second = scheduler.PlanStep();  // 1 decodes, 2 takes the spare and what is left
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->plans[0].work.at(1).num_rows, 39);
  ASSERT_TRUE(scheduler.Remove(SeqId{1}));
  const auto third = scheduler.PlanStep();
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(third->plans[0].work.at(0).num_rows, 40);
  const auto fourth = scheduler.PlanStep();  // the last 11 of 2, then a first chunk of 3
  ASSERT_TRUE(fourth.has_value());
  EXPECT_EQ(fourth->plans[0].work.at(0).num_rows, 11);
  EXPECT_EQ(fourth->plans[0].work.at(1).num_rows, 29);
  scheduler.Add(SeqId{4}, MakeRequest(39));
  scheduler.Add(SeqId{5}, MakeRequest(100));
  const auto fifth = scheduler.PlanStep();  // 2 decodes, 3 runs 39 with the spare
  ASSERT_TRUE(fifth.has_value());
  EXPECT_EQ(fifth->plans[0].work.at(1).num_rows, 39);
}

TEST(SchedulerTest, WithoutASpareAChunkIsNoLongerThanLateRows) {
  Scheduler scheduler({.max_num_seqs = 8, .max_num_batched_tokens = 40}, {1, 1},
                      {{.kv_blocks = 100, .state_slots = 8, .spares = 0, .late_rows = 3}});
  scheduler.Add(SeqId{1}, MakeRequest(47));
  std::vector<int32_t> rows;
  for (int i = 0; i < 4; ++i) rows.push_back(scheduler.PlanStep()->plans[0].work.at(0).num_rows);
  EXPECT_THAT(rows, ElementsAre(40, 3, 3, 1));
}

TEST(SchedulerTest, APromptOfSeveralChunksWaitsForTheSpareInTheQueue) {
  Scheduler scheduler({.max_num_seqs = 8, .max_num_batched_tokens = 40, .logit_rows_max = 3},
                      {1, 1}, {{.kv_blocks = 100, .state_slots = 8, .spares = 1, .late_rows = 2}});
  Request probed = MakeRequest(20);
  probed.probe = Probe::kLogits;
  scheduler.Add(SeqId{1}, probed);
  scheduler.Add(SeqId{2}, MakeRequest(37));
  scheduler.Add(SeqId{3}, MakeRequest(100));
  const auto first = scheduler.PlanStep();  // the second needs no more than its first chunk
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->plans[0].work.at(0).num_rows, 3);
  EXPECT_EQ(first->plans[0].work.at(1).num_rows, 37);
  while (scheduler.num_waiting() > 0) {  // the third waits until the spare is free
    const auto step = scheduler.PlanStep();
    ASSERT_TRUE(step.has_value());
    if (step->plans[0].start.empty()) {
      EXPECT_EQ(step->prefill_rows, 3);
    }
  }
  EXPECT_EQ(scheduler.num_running(), 3);
}

TEST(SchedulerTest, ProbedLogitsAreBoundedPerStepAndHome) {
  Scheduler scheduler({.max_num_seqs = 8, .max_num_batched_tokens = 64, .logit_rows_max = 5},
                      {1, 1}, {Capacity()});
  Request request = MakeRequest(12);
  request.probe = Probe::kLogits;
  scheduler.Add(SeqId{1}, request);
  scheduler.Add(SeqId{2}, request);
  scheduler.Add(SeqId{3}, MakeRequest(12));
  const auto first = scheduler.PlanStep();
  ASSERT_TRUE(first.has_value());
  ASSERT_EQ(first->plans[0].work.size(), 1u);
  EXPECT_EQ(first->plans[0].work[0].num_rows, 5);
  EXPECT_EQ(first->plans[0].work[0].probe, Probe::kLogits);
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  const auto third = scheduler.PlanStep();
  ASSERT_TRUE(third.has_value());
  ASSERT_EQ(third->plans[0].work.size(), 3u);
  EXPECT_EQ(third->plans[0].work[0].num_rows, 2);
  EXPECT_EQ(third->plans[0].work[1].num_rows, 3);
  EXPECT_EQ(third->plans[0].work[2].num_rows, 12);
  EXPECT_EQ(third->plans[0].work[2].probe, Probe::kNone);
}

TEST(SchedulerTest, AnEndReportedEarlyFreesAndStopsPlanning) {
  Scheduler scheduler = MakeScheduler(1);
  scheduler.Add(SeqId{1}, MakeRequest(3, 100));
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  ASSERT_TRUE(scheduler.PlanStep().has_value());  // ahead; the sequence will have no row there
  ASSERT_OK_AND_ASSIGN(const SequenceUpdate update,
                       scheduler.Apply(0, {SeqId{1}, 3, {TokenId{9}}, FinishReason::kStop}));
  EXPECT_TRUE(update.known);
  EXPECT_TRUE(update.ended());
  EXPECT_EQ(update.reason, FinishReason::kStop);
  const auto frees = scheduler.PlanStep();  // nothing is to run, but its home must hear of it
  ASSERT_TRUE(frees.has_value());
  EXPECT_EQ(frees->num_sequences, 0);
  EXPECT_THAT(frees->plans[0].free, ElementsAre(SeqId{1}));
  EXPECT_THAT(frees->plans[0].rows_by_rank, ElementsAre(0));
  EXPECT_FALSE(scheduler.PlanStep().has_value());
  scheduler.Add(SeqId{2}, MakeRequest(3));
  const auto step = scheduler.PlanStep();
  ASSERT_TRUE(step.has_value());
  EXPECT_THAT(step->plans[0].free, IsEmpty());
  EXPECT_EQ(step->plans[0].start.at(0).state_slot, SlotId{0});
  ASSERT_OK_AND_ASSIGN(const SequenceUpdate late, scheduler.Apply(0, {SeqId{1}, 4, {}, {}}));
  EXPECT_FALSE(late.known);
}

TEST(SchedulerTest, MaxTokensAndErrorsEndToo) {
  Scheduler scheduler = MakeScheduler(1);
  scheduler.Add(SeqId{1}, MakeRequest(3, 1));
  scheduler.Add(SeqId{2}, MakeRequest(3, 5));
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  ASSERT_OK_AND_ASSIGN(SequenceUpdate update,
                       scheduler.Apply(0, {SeqId{1}, 3, {TokenId{1}}, FinishReason::kLength}));
  EXPECT_EQ(update.reason, FinishReason::kLength);
  EXPECT_TRUE(update.ended());
  ASSERT_OK_AND_ASSIGN(update, scheduler.Apply(0, {SeqId{2}, 0, {}, FinishReason::kError}));
  EXPECT_EQ(update.reason, FinishReason::kError);
  EXPECT_TRUE(update.ended());
  EXPECT_EQ(scheduler.num_running(), 0);
}

TEST(SchedulerTest, ReportsThatContradictThePlanAreRefused) {
  Scheduler scheduler = MakeScheduler(2);
  scheduler.Add(SeqId{1}, MakeRequest(3, 5));
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  const auto refused = [&](int32_t rank, const SequenceResult& result) {
    EXPECT_STATUS(scheduler.Apply(rank, result), absl::StatusCode::kDataLoss, "sequence 1");
  };
  refused(1, {SeqId{1}, 3, {TokenId{1}}, FinishReason::kNone});  // not at home there
  refused(0, {SeqId{1}, 4, {TokenId{1}}, FinishReason::kNone});  // longer than planned
  refused(
      0,
      {SeqId{1}, 3, {TokenId{1}, TokenId{2}}, FinishReason::kNone});  // more samples than planned
  refused(0, {SeqId{1}, 3, {TokenId{1}}, FinishReason::kLength});     // 1 of 5
}

TEST(SchedulerTest, RemoveTakesOutWaitingAndRunning) {
  Scheduler scheduler({.max_num_seqs = 1, .max_num_batched_tokens = 8}, {1, 1}, {Capacity()});
  scheduler.Add(SeqId{1}, MakeRequest(3));
  scheduler.Add(SeqId{2}, MakeRequest(3));
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  EXPECT_TRUE(scheduler.Remove(SeqId{2}));
  EXPECT_TRUE(scheduler.Remove(SeqId{1}));
  EXPECT_FALSE(scheduler.Remove(SeqId{1}));
  EXPECT_THAT(scheduler.PlanStep()->plans[0].free, ElementsAre(SeqId{1}));
  EXPECT_FALSE(scheduler.PlanStep().has_value());
  EXPECT_EQ(scheduler.ledger(0).num_slots_free(), 16);
}

TEST(SchedulerDeathTest, WhatCanNeverFitIsOurOwnMistake) {
  Scheduler scheduler = MakeScheduler(1);
  EXPECT_EQ(scheduler.tokens_max(), 6400);
  EXPECT_DEATH(scheduler.Add(SeqId{1}, MakeRequest(6400, 1)), "can never be admitted");
}

}  // namespace
}  // namespace atl::coordinator
