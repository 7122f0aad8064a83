#include "tests/worker/scripted/runner_fixture.h"

#include <random>

namespace atl::worker {
namespace {

TEST_F(ScriptedRunnerTest, SaysWhatTheRuleSaysAndStops) {
  Play(R"({"when": "weather", "say": "It rains."})");
  const Reported reported = Ask(Chat("How is the weather?"));
  EXPECT_EQ(Text(reported.ids), "It rains.<|im_end|>");
  EXPECT_EQ(reported.finish, FinishReason::kStop);
}

TEST_F(ScriptedRunnerTest, WithoutARuleTheLastMessageComesBack) {
  Play("");
  EXPECT_EQ(Text(Ask(Chat("Say <|im_start|> \xC3\xA4!")).ids), "Say <|im_end|>");
  EXPECT_EQ(Text(Ask("no chat at all").ids), "no chat at all<|im_end|>");
}

TEST_F(ScriptedRunnerTest, AnOpenThoughtIsClosedUnlessTheTextDoes) {
  Play(R"({"when": "think", "say": "Hm.</think>\n\nYes."}
{"when": "say", "say": "Yes."})");
  EXPECT_EQ(Text(Ask(Chat("say") + "<think>\n").ids), "</think>\n\nYes.<|im_end|>");
  EXPECT_EQ(Text(Ask(Chat("echo") + "<think>\n").ids), "</think>\n\necho<|im_end|>");
  EXPECT_EQ(Text(Ask(Chat("think") + "<think>\n").ids), "Hm.</think>\n\nYes.<|im_end|>");
  EXPECT_EQ(Text(Ask(Chat("say")).ids), "Yes.<|im_end|>");
}

TEST_F(ScriptedRunnerTest, TokensBeginWhereChunksBegin) {
  Play(R"({"say": ["<tool", "_call>", "Hel", "lo"]})");
  const Reported reported = Ask(Chat("x"));
  EXPECT_EQ(Text(reported.ids), "<tool_call>Hello<|im_end|>");
  EXPECT_EQ(std::count(reported.ids.begin(), reported.ids.end(), *tokenizer_->IdOf("<tool_call>")),
            0);
  std::vector<TokenId> expected;
  for (const char* chunk : {"<tool", "_call>", "Hel", "lo"}) {
    const std::vector<TokenId> ids = Ids(chunk);
    expected.insert(expected.end(), ids.begin(), ids.end());
  }
  expected.push_back(end_);
  EXPECT_EQ(reported.ids, expected);
}

// The property that fail-over and preemption rest on.
TEST_F(ScriptedRunnerTest, TokensAreAFunctionOfThePromptAlone) {
  Play(R"({"when": "again", "say": "one two three ", "repeat": 6, "tokens_per_step": 3}
{"when": "long", "say": "So it goes. ", "then": "length"}
{"when": "bad", "say": "Then it breaks: ", "then": "nan"})");
  std::mt19937 random(7);
  for (const char* message : {"again, please", "a long one", "bad", "echo this message"}) {
    const std::string prompt = Chat(message);
    const Reported alone = Ask(prompt);
    ASSERT_FALSE(alone.ids.empty());
    for (int i = 0; i < 40; ++i) {
      const Course course = {.chunk = 1 + random() % 20,
                             .preempt_after = static_cast<int>(random() % alone.ids.size()),
                             .rows = static_cast<int32_t>(1 + random() % 3)};
      const Reported other = Ask(prompt, course);
      ASSERT_EQ(other.ids, alone.ids) << message << ": chunks of " << course.chunk
                                      << ", preempted after " << course.preempt_after;
      ASSERT_EQ(other.finish, alone.finish);
    }
  }
}

TEST_F(ScriptedRunnerTest, SeveralTokensAStepNeverPassTheLimit) {
  Play(R"({"when": "three", "say": "a b c d e f g h", "tokens_per_step": 3}
{"when": "one", "say": "a b c d e f g h"})");
  EXPECT_EQ(runner_->MakeReady().capacity.tokens_per_step, 3);
  EXPECT_EQ(runner_->MakeReady().capacity.late_rows, 3) << "guessed rows stand in the ring";
  const std::vector<TokenId> prompt = Ids(Chat("three"));
  for (int32_t limit = 1; limit <= 6; ++limit) {
    StartSequence start = Start(++seq_, prompt);
    start.max_new_tokens = limit;
    const Reported reported = Lead(start, prompt, {.rows = 3});
    EXPECT_EQ(reported.ids.size(), static_cast<size_t>(limit));
    EXPECT_EQ(reported.finish, FinishReason::kLength);
  }
  Reported reported;
  const std::vector<TokenId> other = Ids(Chat("one"));
  const StartSequence start = Start(++seq_, other);
  const int32_t length = Prefill(start, other, 1000, reported);
  StepPlan plan = NewPlan();
  plan.work.push_back({.seq = start.seq, .begin = length, .num_rows = 3});
  EXPECT_EQ(Run(plan).ids.size(), 1u) << "its rule gives one";
}

TEST_F(ScriptedRunnerTest, NanEndsItsSequenceInAStepOfItsOwn) {
  Play(R"({"when": "bad", "say": "a b c d", "then": "nan", "tokens_per_step": 3}
{"when": "now", "say": "", "then": "nan"})");
  Reported reported;
  const std::vector<TokenId> prompt = Ids(Chat("bad"));
  const StartSequence start = Start(++seq_, prompt);
  int32_t length = Prefill(start, prompt, 1000, reported);
  const size_t said = Ids("a b c d").size();
  while (reported.ids.size() < said) {
    StepPlan plan = NewPlan();
    plan.work.push_back({.seq = start.seq, .begin = length, .num_rows = 3});
    const SequenceResult result = Run(plan);
    EXPECT_EQ(result.finish, FinishReason::kNone);
    length = result.length;
    Take(result, reported);
  }
  StepPlan plan = NewPlan();
  plan.work.push_back({.seq = start.seq, .begin = length, .num_rows = 3});
  const SequenceResult last = Run(plan);
  EXPECT_EQ(last.finish, FinishReason::kError);
  EXPECT_TRUE(last.ids.empty());
  EXPECT_EQ(last.length, length + 1);
  EXPECT_EQ(Ask(Chat("now")).finish, FinishReason::kError);
  EXPECT_EQ(Text(Ask(Chat("fine")).ids), "fine<|im_end|>") << "the others go on";
}

TEST_F(ScriptedRunnerTest, AHungWorkerReportsNothingUntilItIsStopped) {
  Play(R"({"when": "hang", "say": "s", "then": "hang"})");
  Reported reported;
  const std::vector<TokenId> prompt = Ids(Chat("hang"));
  const StartSequence start = Start(++seq_, prompt);
  const int32_t length = Prefill(start, prompt, 1000, reported);
  ASSERT_EQ(reported.ids, Ids("s"));
  StepPlan plan = NewPlan();
  plan.work.push_back({.seq = start.seq, .begin = length, .num_rows = 1});
  ASSERT_EQ(num_hangs_, 0);
  const StepResult result = runner_->Execute(plan);
  EXPECT_EQ(num_hangs_, 1);
  EXPECT_STATUS(result.status, absl::StatusCode::kUnavailable,
                "hung until this worker was stopped");
  EXPECT_TRUE(result.sequences.empty());
}

TEST_F(ScriptedRunnerTest, ACrashEndsTheProcess) {
  Play(R"({"say": "", "then": "crash"})");
  EXPECT_EXIT(Ask(Chat("x")), ::testing::ExitedWithCode(kCrashStatus), "");
}

TEST_F(ScriptedRunnerTest, WhereItMayNotEndTheTextBeginsAgain) {
  Play(R"({"say": "ab cd "})");
  const std::vector<TokenId> prompt = Ids(Chat("x"));
  const size_t said = Ids("ab cd ").size();
  StartSequence endless = Start(++seq_, prompt);
  endless.stop_ids.clear();  // ignore_eos
  const Reported all = Lead(endless, prompt, {});
  EXPECT_EQ(all.finish, FinishReason::kLength);
  EXPECT_EQ(Text(all.ids).substr(0, 18), "ab cd ab cd ab cd ");
  StartSequence patient = Start(++seq_, prompt);
  patient.sampling.min_tokens = static_cast<int32_t>(said) + 2;
  const Reported some = Lead(patient, prompt, {});
  EXPECT_EQ(some.finish, FinishReason::kStop);
  EXPECT_EQ(some.ids.size(), said + 3);
  // A stop id of the text's own is passed over until it may be sampled.
  StartSequence early = Start(++seq_, prompt);
  early.stop_ids.push_back(all.ids[1]);
  EXPECT_EQ(Lead(early, prompt, {}).ids.size(), 2u);
  early.seq = SeqId{++seq_};
  early.sampling.min_tokens = 2;
  const Reported passed = Lead(early, prompt, {});
  EXPECT_NE(passed.ids[1], all.ids[1]);
  EXPECT_GT(passed.ids.size(), 2u);
}

TEST_F(ScriptedRunnerTest, LogprobsAreReportedWhereAsked) {
  Play(R"({"say": "ab cd ", "tokens_per_step": 2})");
  const std::vector<TokenId> prompt = Ids(Chat("x y z"));
  StartSequence start = Start(++seq_, prompt);
  start.top_logprobs = 3;
  start.prompt_logprobs = true;
  const Reported reported = Lead(start, prompt, {.chunk = 3, .rows = 2});
  ASSERT_EQ(reported.logprobs.size(), reported.ids.size());
  EXPECT_EQ(reported.prompt_logprobs.size(), prompt.size() - 1);
  for (size_t i = 0; i < reported.ids.size(); ++i) {
    ASSERT_EQ(reported.logprobs[i].top.size(), 3u);
    EXPECT_EQ(reported.logprobs[i].top[0].id, reported.ids[i]);
    EXPECT_EQ(reported.logprobs[i].rank, 1);
  }
  EXPECT_EQ(reported.prompt_logprobs[0].top[0].id, prompt[1]);
}

}  // namespace
}  // namespace atl::worker
