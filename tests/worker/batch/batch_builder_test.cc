#include "worker/batch/batch_builder.h"

#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

using kernels::DeltaStore;
constexpr auto kFailedPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr BatchLimits kLimits = {
    .home = {.kv_blocks = 8, .state_slots = 2, .spares = 1, .late_rows = 1}, .vocab_size = 100};

std::vector<TokenId> Ids(int count) {
  return std::vector<TokenId>(static_cast<size_t>(count), TokenId{7});
}

// A prompt of `rows` tokens for a new sequence.
StepPlan FirstChunk(uint64_t seq, int rows, int slot = 0) {
  StepPlan plan = {.step = 1};
  plan.start.push_back(
      {.seq = SeqId{seq}, .state_slot = SlotId{slot}, .prompt_length = 100, .max_new_tokens = 5});
  plan.work.push_back({.seq = SeqId{seq}, .num_rows = rows, .ids = Ids(rows)});
  for (int b = 0; b * 64 < rows; ++b) plan.work.back().new_blocks.push_back(BlockId{b});
  return plan;
}

StepPlan Continue(uint64_t seq, int begin, int rows) {
  StepPlan plan = {.step = 2};
  plan.work.push_back({.seq = SeqId{seq}, .begin = begin, .num_rows = rows, .ids = Ids(rows)});
  return plan;
}

// A table in which sequence 1 stands at `length` with two blocks.
SequenceTable TableAt(int length) {
  SequenceTable table;
  HomeSequence& sequence = table.Add({.seq = SeqId{1}, .prompt_length = 200, .max_new_tokens = 5});
  sequence.length = length;
  sequence.blocks = {BlockId{0}, BlockId{1}};
  return table;
}

TEST(BatchBuilderTest, FirstChunkWritesItsOwnSlot) {
  SequenceTable table;
  const StepPlan plan = FirstChunk(1, 70);
  ASSERT_OK(ValidatePlan(plan, table, kLimits));
  const Taken taken = ApplyPlan(plan, table);
  EXPECT_EQ(taken.blocks, (std::vector<BlockId>{BlockId{0}, BlockId{1}}));
  EXPECT_EQ(taken.slots, std::vector<SlotId>{SlotId{0}});
  const BatchInput batch = BuildBatch(plan, table, kLimits);
  ASSERT_EQ(batch.rows.size(), 1u);
  EXPECT_EQ(batch.rows[0].store, DeltaStore::kOwn);
  EXPECT_EQ(batch.ids.size(), 70u);
  EXPECT_EQ(batch.positions.back(), 69);
  EXPECT_EQ(batch.rows[0].blocks.size(), 2u);
}

TEST(BatchBuilderTest, LongChunksTakeSparesAndShortOnesWait) {
  SequenceTable table = TableAt(10);
  EXPECT_EQ(BuildBatch(Continue(1, 10, 20), table, kLimits).rows[0].store, DeltaStore::kSpare);
  EXPECT_EQ(BuildBatch(Continue(1, 10, 20), table, kLimits).rows[0].spare, 0);
  EXPECT_EQ(BuildBatch(Continue(1, 10, 1), table, kLimits).rows[0].store, DeltaStore::kWait);
}

TEST(BatchBuilderTest, DecodeRunsTheTokenSampledLast) {
  SequenceTable table = TableAt(200);
  HomeSequence& sequence = *table.Find(SeqId{1});
  sequence.blocks.resize(4);
  StepPlan plan = {.step = 3};
  plan.work.push_back({.seq = SeqId{1}, .begin = 200, .num_rows = 1, .sample = true});
  EXPECT_STATUS(ValidatePlan(plan, table, kLimits), kFailedPrecondition,
                "1 rows with 0 ids");  // nothing was sampled
  sequence.pending = TokenId{42};
  sequence.num_sampled = 1;
  ASSERT_OK(ValidatePlan(plan, table, kLimits));
  const BatchInput batch = BuildBatch(plan, table, kLimits);
  EXPECT_EQ(batch.ids, std::vector<TokenId>{TokenId{42}});
  EXPECT_EQ(batch.positions, std::vector<int32_t>{200});
  plan.work[0].num_rows = 2;
  EXPECT_STATUS(ValidatePlan(plan, table, kLimits), kFailedPrecondition,
                "2 rows with 0 ids");  // this worker guesses nothing
}

// Preempted after two of five: its chunks bring 100 + 2 tokens, then the third is sampled.
TEST(BatchBuilderTest, ARecomputedSequenceGoesOnWhereItWas) {
  SequenceTable table;
  StepPlan plan = FirstChunk(1, 102);
  plan.start[0].num_sampled = 2;
  plan.start[0].sampling.presence_penalty = 1.0f;
  plan.work[0].sample = true;
  ASSERT_OK(ValidatePlan(plan, table, kLimits));
  ApplyPlan(plan, table);
  EXPECT_EQ(table.Find(SeqId{1})->num_sampled, 2);
  EXPECT_TRUE(table.Find(SeqId{1})->counts.has_value());
  const auto refused = [&](const char* says) {
    EXPECT_STATUS(ValidatePlan(plan, SequenceTable(), kLimits), kFailedPrecondition, says);
  };
  plan.start[0].num_sampled = 1;
  refused("planned to sample after 102, it has 101 tokens");
  plan.start[0].num_sampled = 3;
  refused("planned to sample after 102, it has 103 tokens");
  plan.start[0].num_sampled = 5;
  refused("begins anew with 5 tokens sampled of 5");
  plan.start[0].num_sampled = -1;
  refused("begins anew with -1 tokens sampled");
}

TEST(BatchBuilderTest, AnEndedSequenceContributesNoRow) {
  SequenceTable table = TableAt(10);
  table.Find(SeqId{1})->finish = FinishReason::kStop;
  StepPlan plan = {.step = 3};
  plan.work.push_back(
      {.seq = SeqId{1}, .begin = 11, .num_rows = 1, .sample = true});  // planned ahead
  ASSERT_OK(ValidatePlan(plan, table, kLimits));
  EXPECT_TRUE(ApplyPlan(plan, table).blocks.empty());
  EXPECT_TRUE(BuildBatch(plan, table, kLimits).ids.empty());
}

TEST(BatchBuilderTest, FreedSlotsMayBeGivenOutInTheSamePlan) {
  SequenceTable table = TableAt(10);
  StepPlan plan = FirstChunk(2, 5);
  EXPECT_STATUS(ValidatePlan(plan, table, kLimits), kFailedPrecondition, "state slot 0");
  plan.free.push_back(SeqId{1});
  plan.free.push_back(SeqId{99});  // unknown ones are ignored
  ASSERT_OK(ValidatePlan(plan, table, kLimits));
  ApplyPlan(plan, table);
  EXPECT_EQ(table.Find(SeqId{1}), nullptr);
}

TEST(BatchBuilderTest, PlansAgainstTheTableAreRefusedAndChangeNothing) {
  SequenceTable table = TableAt(10);
  const auto refused = [&](const StepPlan& plan, const char* says) {
    EXPECT_STATUS(ValidatePlan(plan, table, kLimits), kFailedPrecondition, says);
    EXPECT_EQ(table.Find(SeqId{1})->length, 10);
  };
  refused(Continue(1, 9, 1), "planned from 9, it stands at 10");
  refused(Continue(5, 0, 1), "sequence 5 is not at home here");
  refused(Continue(1, 10, 119), "would reach token 129, its blocks hold 128");
  StepPlan plan = Continue(1, 10, 1);
  plan.work[0].ids[0] = TokenId{100};
  refused(plan, "token 100, the vocabulary has 100");
  plan = Continue(1, 10, 1);
  plan.work[0].new_blocks.push_back(BlockId{8});
  refused(plan, "block 8 of 8");
  plan = Continue(1, 10, 2);
  plan.work[0].ids.pop_back();
  refused(plan, "2 rows with 1 ids");
  plan = Continue(1, 10, 1);
  plan.work.push_back(plan.work[0]);
  refused(plan, "planned twice");
  plan = Continue(1, 10, 1);
  plan.work[0].next_id = TokenId{100};
  refused(plan, "goes on with token 100");
  plan = Continue(1, 10, 1);
  plan.work[0].sample = true;
  refused(plan, "planned to sample after 11, it has 200 tokens");
  refused(FirstChunk(2, 5, 2), "state slot 2 of 2");
  refused(FirstChunk(1, 5, 1), "sequence 1 is started twice");
  plan = FirstChunk(2, 5, 1);
  plan.start[0].prompt_logprobs = true;
  refused(plan, "log-probabilities of its prompt alone");
  plan = FirstChunk(2, 5, 1);
  plan.start[0].rope_factor = 2.0f;
  EXPECT_STATUS(ValidatePlan(plan, table, kLimits), absl::StatusCode::kUnimplemented,
                "rope factor 2");
}

TEST(BatchBuilderTest, NoMoreLongChunksThanSpares) {
  SequenceTable table = TableAt(10);
  HomeSequence& second =
      table.Add({.seq = SeqId{2}, .state_slot = SlotId{1}, .prompt_length = 100});
  second.length = 10;
  second.blocks = {BlockId{2}};
  StepPlan plan = Continue(1, 10, 4);
  plan.work.push_back(Continue(2, 10, 4).work[0]);
  EXPECT_STATUS(ValidatePlan(plan, table, kLimits), kFailedPrecondition,
                "2 continuing chunks, 1 spares");
  BatchLimits two = kLimits;
  two.home.spares = 2;
  ASSERT_OK(ValidatePlan(plan, table, two));
  EXPECT_EQ(BuildBatch(plan, table, two).rows[1].spare, 1);
}

}  // namespace
}  // namespace atl::worker
