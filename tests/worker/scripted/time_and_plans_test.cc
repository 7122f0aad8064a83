#include "tests/worker/scripted/runner_fixture.h"

namespace atl::worker {
namespace {

TEST_F(ScriptedRunnerTest, RowsBesideOneAnotherTakeTheTimeOfTheSlowest) {
  Play(
      R"({"when": "slow", "say": "a", "then": "length", "token_ms": 20, "prefill_us_per_token": 1000}
{"when": "fast", "say": "a", "then": "length", "token_ms": 5, "prefill_us_per_token": 100, "step_us": 250})");
  const std::vector<TokenId> slow = Ids(Chat("slow")), fast = Ids(Chat("fast"));
  const auto took = [&](const StepPlan& plan) {
    const auto begin = hands_.now;
    const StepResult result = runner_->Execute(plan);
    EXPECT_OK(result.status);
    EXPECT_EQ(std::chrono::microseconds(result.stats.kernel_us), hands_.now - begin);
    hands_.now += milliseconds(50);  // not back to back
    return std::chrono::duration_cast<std::chrono::microseconds>(hands_.now - begin).count() -
           50'000;
  };
  StepPlan plan = NewPlan();
  const auto rows_slow = static_cast<int32_t>(slow.size());
  const auto rows_fast = static_cast<int32_t>(fast.size());
  plan.start = {Start(1, slow), Start(2, fast)};
  plan.work = {{.seq = SeqId{1}, .num_rows = rows_slow, .ids = slow, .new_blocks = Blocks(100)},
               {.seq = SeqId{2}, .num_rows = rows_fast, .ids = fast, .new_blocks = Blocks(100)}};
  plan.work[0].sample = plan.work[1].sample = true;
  EXPECT_EQ(took(plan), 1000 * rows_slow + 100 * rows_fast + 250);
  plan = NewPlan();
  plan.work = {{.seq = SeqId{1}, .begin = rows_slow, .num_rows = 1},
               {.seq = SeqId{2}, .begin = rows_fast, .num_rows = 1}};
  EXPECT_EQ(took(plan), 20'250);
  plan = NewPlan();
  plan.work = {{.seq = SeqId{2}, .begin = rows_fast + 1, .num_rows = 1}};
  EXPECT_EQ(took(plan), 5'250);
}

TEST_F(ScriptedRunnerTest, TheLatenessOfSleepsDoesNotAddUp) {
  Play(R"({"say": "a", "then": "length", "token_ms": 20})");
  const std::vector<TokenId> prompt = Ids(Chat("x"));
  Reported reported;
  int32_t length = Prefill(Start(1, prompt), prompt, 1000, reported);
  hands_.deadlines.clear();
  hands_.late = std::chrono::microseconds(300);
  for (int i = 0; i < 10; ++i) {
    StepPlan plan = NewPlan();
    plan.work.push_back({.seq = SeqId{1}, .begin = length++, .num_rows = 1});
    Run(plan);
  }
  EXPECT_EQ(hands_.deadlines.back() - hands_.deadlines.front(), 9 * milliseconds(20));
}

TEST_F(ScriptedRunnerTest, APromptThatIsStillComingIsChargedByWhatIsHeard) {
  Play(R"({"when": "^dear", "say": "a", "prefill_us_per_token": 1000})");
  std::string message = "dear all,";
  for (int i = 0; i < 100; ++i) message += " and on";
  const auto begin = hands_.now;
  const std::vector<TokenId> prompt = Ids(Chat(message));
  Reported reported;
  Prefill(Start(1, prompt), prompt, 10, reported);
  EXPECT_EQ(hands_.now - begin, milliseconds(prompt.size()));
}

TEST_F(ScriptedRunnerTest, PlansAgainstTheProtocolAreRefusedAndChangeNothing) {
  Play("");
  const std::vector<TokenId> prompt = Ids(Chat("x"));
  const auto refused = [&](const StepPlan& plan, absl::StatusCode code, const char* says) {
    const StepResult result = runner_->Execute(plan);
    EXPECT_STATUS(result.status, code, says);
    EXPECT_TRUE(result.sequences.empty());
  };
  StepPlan plan = NewPlan();
  plan.start = {Start(1, prompt)};
  plan.work = {{.seq = SeqId{1},
                .num_rows = static_cast<int32_t>(prompt.size()),
                .ids = prompt,
                .new_blocks = Blocks(100)}};
  constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
  StepPlan wrong = plan;
  wrong.epoch.number = 2;
  refused(wrong, kPrecondition, "is of epoch 1.2");
  wrong = plan;
  wrong.rows_by_rank = {1};
  refused(wrong, kPrecondition, "1 announced");
  wrong = plan;
  wrong.start.clear();
  refused(wrong, kPrecondition, "sequence 1 is not at home here");
  wrong = plan;
  wrong.work[0].new_blocks.clear();
  refused(wrong, kPrecondition, "its blocks hold 0");
  wrong = plan;
  wrong.work[0].probe = Probe::kDigest;
  refused(wrong, absl::StatusCode::kUnimplemented, "a script has none");
  ASSERT_OK(runner_->Execute(plan).status);
  refused(plan, kPrecondition, "comes after step");
}

TEST_F(ScriptedRunnerTest, ANewTermForgetsSequences) {
  Play("");
  const std::vector<TokenId> prompt = Ids(Chat("x"));
  Reported reported;
  const int32_t length = Prefill(Start(1, prompt), prompt, 1000, reported);
  StepPlan plan = NewPlan();
  plan.work.push_back({.seq = SeqId{1}, .begin = length, .num_rows = 1});
  ASSERT_OK(runner_->JoinEpoch({.epoch = {.term = 2, .number = 1}, .transport_addresses = {""}}));
  plan.epoch = {.term = 2, .number = 1};
  EXPECT_STATUS(runner_->Execute(plan).status, absl::StatusCode::kFailedPrecondition,
                "not at home");
}

TEST_F(ScriptedRunnerTest, ALongPromptIsReadOnce) {
  Play(R"({"when": "needle", "say": "found"})");
  std::string message;
  for (int i = 0; i < 40'000; ++i) message += "hay ";
  const std::vector<TokenId> prompt = Ids(Chat(message + "needle"));
  ASSERT_GT(prompt.size(), 40'000u);
  const auto begin = std::chrono::steady_clock::now();
  const Reported reported = Ask(Chat(message + "needle"), {.chunk = 512});
  EXPECT_EQ(Text(reported.ids), "found<|im_end|>");
  // Reading it again with each of its chunks would take a hundred times as long as once.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(ScriptedRunnerTest, SaysWhatItIs) {
  Play("{}");
  EXPECT_EQ(runner_->hello().vocab_size, 4096);
  EXPECT_EQ(runner_->hello().host, "here");
  EXPECT_EQ(runner_->hello().num_layers, 1);
  EXPECT_EQ(runner_->MakeReady().capacity.bytes_per_block, kScriptedBlockBytes);
  EXPECT_EQ(runner_->MakeReady().capacity.bytes_per_state, kScriptedStateBytes);
  EXPECT_EQ(runner_->MakeReady().capacity.kv_blocks, 4096);
}

}  // namespace
}  // namespace atl::worker
