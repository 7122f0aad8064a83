// Homes whose workers bring several tokens a step.
#include "tests/coordinator/scheduler/scheduler_builders.h"

namespace atl::coordinator {
namespace {

using ::testing::IsEmpty;

HomeCapacity Capacity(int32_t tokens_per_step) {
  return {.kv_blocks = 100,
          .state_slots = 16,
          .spares = 1,
          .late_rows = 4,
          .tokens_per_step = tokens_per_step};
}

Scheduler MakeScheduler(int32_t tokens_per_step, int32_t rows_max = 64) {
  return Scheduler({.max_num_seqs = 8, .max_num_batched_tokens = rows_max}, {1, 1},
                   {Capacity(tokens_per_step)});
}

TEST(SeveralTokensTest, TheNextStepIsPlannedWhenItIsKnownHowManyCame) {
  Scheduler scheduler = MakeScheduler(3);
  scheduler.Add(SeqId{1}, MakeRequest(62, 20));
  ApplyAll(scheduler, *scheduler.PlanStep());
  const auto step = scheduler.PlanStep();
  ASSERT_TRUE(step.has_value());
  const SequenceWork& work = step->plans[0].work.at(0);
  EXPECT_EQ(work.begin, 62);
  EXPECT_EQ(work.num_rows, 3);
  EXPECT_THAT(work.ids, IsEmpty());
  EXPECT_EQ(work.new_blocks.size(), 1u);  // 65 tokens, if all come
  EXPECT_FALSE(scheduler.PlanStep().has_value());
  ApplyAll(scheduler, *step, 2);
  const auto next = scheduler.PlanStep();
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->plans[0].work.at(0).begin, 64);
  EXPECT_THAT(next->plans[0].work.at(0).new_blocks, IsEmpty());  // it has the block already
}

TEST(SeveralTokensTest, NeverMoreThanTheRequestAskedFor) {
  Scheduler scheduler = MakeScheduler(4);
  scheduler.Add(SeqId{1}, MakeRequest(10, 7));
  std::vector<int32_t> rows;
  while (const auto step = scheduler.PlanStep()) {
    if (step->num_sequences > 0) rows.push_back(step->plans[0].work.at(0).num_rows);
    ApplyAll(scheduler, *step, 4);
  }
  EXPECT_THAT(rows, ::testing::ElementsAre(10, 4, 2));
  EXPECT_EQ(scheduler.num_running(), 0);
}

TEST(SeveralTokensTest, APromptKeepsAShareOfTheStep) {
  Scheduler scheduler = MakeScheduler(4, 24);
  for (uint64_t i = 1; i <= 4; ++i) scheduler.Add(SeqId{i}, MakeRequest(2, 20));
  ApplyAll(scheduler, *scheduler.PlanStep());
  scheduler.Add(SeqId{5}, MakeRequest(30));
  const auto step = scheduler.PlanStep();
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->num_sequences, 5);
  EXPECT_EQ(step->decode_rows, 8);  // two each
  EXPECT_EQ(step->prefill_rows, 16);
}

TEST(SeveralTokensTest, ReportsThatBringTooManyOrNoneAreRefused) {
  Scheduler scheduler = MakeScheduler(3);
  scheduler.Add(SeqId{1}, MakeRequest(10, 7));
  ApplyAll(scheduler, *scheduler.PlanStep());
  ASSERT_TRUE(scheduler.PlanStep().has_value());
  const auto refused = [&](int32_t length, std::vector<TokenId> ids) {
    EXPECT_STATUS(scheduler.Apply(0, {.seq = SeqId{1}, .length = length, .ids = std::move(ids)}),
                  absl::StatusCode::kDataLoss, "sequence 1");
  };
  refused(10, {});
  refused(12, {TokenId{1}});
  refused(14, {TokenId{1}, TokenId{2}, TokenId{3}, TokenId{4}});
  EXPECT_OK(scheduler.Apply(0, {.seq = SeqId{1}, .length = 11, .ids = {TokenId{1}}}));
}

}  // namespace
}  // namespace atl::coordinator
