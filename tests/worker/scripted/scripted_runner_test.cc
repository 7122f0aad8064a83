#include "worker/scripted/scripted_runner.h"

#include <cstdlib>
#include <random>

#include "common/tokenizer/detokenizer.h"
#include "tests/support/status_matchers.h"

namespace atl {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

constexpr Epoch kEpoch = {.term = 1, .number = 1};
constexpr int kCrashStatus = 7;

// Time passes only in sleeps, and in what `late` says a sleep takes too long.
struct FakeClock : StepClock {
  struct Hands {
    Time now{milliseconds(1'000'000)};
    std::chrono::nanoseconds late{0};
    std::vector<Time> deadlines;
  };
  explicit FakeClock(Hands& hands) : hands_(hands) {}
  Time Now() override { return hands_.now; }
  void SleepUntil(Time deadline) override {
    hands_.deadlines.push_back(deadline);
    hands_.now = std::max(hands_.now, deadline) + hands_.late;
  }

 private:
  Hands& hands_;
};

// All drawn ids of a sequence, and how it ended.
struct Told {
  std::vector<TokenId> ids;
  Finish finish = Finish::kNone;
  std::vector<TokenLogprobs> logprobs, prompt_logprobs;
};
// How one sequence is led through its life.
struct Course {
  size_t piece = 1000;     // prompt tokens of a piece
  int preempt_after = -1;  // draws; −1: never
  int32_t rows = 1;        // of a decode step
};

// A runner in an epoch, and what a coordinator keeps to plan for it.
class ScriptedRunnerTest : public ::testing::Test {
 protected:
  void Play(const std::string& script) {
    auto parsed = Script::Parse(script, "script");
    ASSERT_OK(parsed);
    auto tokenizer = Tokenizer::FromDirectory("tools/nano/checkpoint");
    ASSERT_OK(tokenizer);
    const int32_t vocab_size = (*tokenizer)->vocab_size();
    auto runner = ScriptedRunner::Create({.script = std::move(*parsed),
                                          .tokenizer = std::move(*tokenizer),
                                          .end_token = end_,
                                          .limits = {.num_blocks = 4096,
                                                     .num_slots = 64,
                                                     .num_spares = 4,
                                                     .late_rows = 1,
                                                     .vocab_size = vocab_size},
                                          .hello = {.host = "here"},
                                          .clock = std::make_unique<FakeClock>(hands_),
                                          .crash = [] { std::_Exit(kCrashStatus); }});
    ASSERT_OK(runner);
    runner_ = std::move(*runner);
    ASSERT_OK(runner_->JoinEpoch(
        {.epoch = kEpoch, .rank = 0, .transport_addresses = {""}, .expert_owner = {}}));
    step_ = 0;
  }

  std::vector<TokenId> Ids(const std::string& text) const {
    return *tokenizer_->Encode(text, {.special = EncodeOptions::Special::kParse});
  }
  std::string Text(const std::vector<TokenId>& ids) const {
    return Decode(*tokenizer_, ids, SkipSpecial::kShow);
  }
  static std::string Chat(const std::string& message) {
    return "<|im_start|>user\n" + message + "<|im_end|>\n<|im_start|>assistant\n";
  }
  StartSequence Start(uint64_t seq, const std::vector<TokenId>& prompt) const {
    return {.seq = SeqId{seq},
            .state_slot = SlotId{static_cast<int32_t>(seq % 64)},
            .prompt_length = static_cast<int32_t>(prompt.size()),
            .max_new_tokens = 50,
            .stop_ids = {end_}};
  }

  StepPlan NewPlan() { return {.epoch = kEpoch, .step = ++step_, .rows_by_rank = {1 << 20}}; }

  std::vector<BlockId> Blocks(size_t num_tokens) {
    std::vector<BlockId> blocks;
    for (size_t i = 0; i * 64 < num_tokens; ++i) {
      blocks.push_back(BlockId{next_block_++ % 4096});
    }
    return blocks;
  }

  SequenceResult Run(const StepPlan& plan) {
    const std::optional<StepResult> result = runner_->Execute(plan);
    EXPECT_TRUE(result.has_value());
    EXPECT_OK(result->status);
    EXPECT_EQ(result->sequences.size(), 1u);
    return result->sequences.empty() ? SequenceResult{} : result->sequences[0];
  }

  void Take(const SequenceResult& result, Told& told) {
    told.ids.insert(told.ids.end(), result.ids.begin(), result.ids.end());
    told.logprobs.insert(told.logprobs.end(), result.logprobs.begin(), result.logprobs.end());
    told.prompt_logprobs.insert(told.prompt_logprobs.end(), result.prompt_logprobs.begin(),
                                result.prompt_logprobs.end());
    told.finish = result.finish;
  }

  // Pieces of `known`, the last of which draws.
  int32_t Prefill(StartSequence start, const std::vector<TokenId>& known, size_t piece,
                  Told& told) {
    int32_t length = 0;
    for (size_t begin = 0; begin < known.size(); begin += piece) {
      const size_t count = std::min(piece, known.size() - begin);
      StepPlan plan = NewPlan();
      if (begin == 0) plan.start.push_back(start);
      plan.work.push_back({.seq = start.seq,
                           .begin = static_cast<int32_t>(begin),
                           .num_rows = static_cast<int32_t>(count),
                           .ids = {known.begin() + static_cast<std::ptrdiff_t>(begin),
                                   known.begin() + static_cast<std::ptrdiff_t>(begin + count)},
                           .draw = begin + count == known.size()});
      if (begin + count < known.size()) plan.work[0].next_id = known[begin + count];
      if (begin == 0) plan.work[0].new_blocks = Blocks(known.size() + 100);
      const SequenceResult result = Run(plan);
      length = result.length;
      Take(result, told);
    }
    EXPECT_EQ(length, static_cast<int32_t>(known.size()));
    return length;
  }

  // From its prompt to its end; `start` names it.
  Told Lead(StartSequence start, const std::vector<TokenId>& prompt, const Course& course) {
    Told told;
    int32_t length = Prefill(start, prompt, course.piece, told);
    bool was_preempted = false;
    while (told.finish == Finish::kNone) {
      const auto drawn = static_cast<int>(told.ids.size());
      if (!was_preempted && course.preempt_after >= 0 && drawn >= course.preempt_after) {
        was_preempted = true;
        StepPlan plan = NewPlan();
        plan.free = {start.seq};
        EXPECT_OK(runner_->Execute(plan)->status);
        start.num_drawn = drawn;
        std::vector<TokenId> known = prompt;
        known.insert(known.end(), told.ids.begin(), told.ids.end());
        length = Prefill(start, known, course.piece, told);
        continue;
      }
      StepPlan plan = NewPlan();
      plan.work.push_back({.seq = start.seq, .begin = length, .num_rows = course.rows});
      plan.work[0].draw = true;
      const SequenceResult result = Run(plan);
      EXPECT_EQ(result.length - length, std::max<int>(1, static_cast<int>(result.ids.size())));
      length = result.length;
      Take(result, told);
    }
    StepPlan plan = NewPlan();
    plan.free = {start.seq};
    EXPECT_OK(runner_->Execute(plan)->status);
    return told;
  }

  Told Ask(const std::string& prompt, const Course& course = {}) {
    const std::vector<TokenId> ids = Ids(prompt);
    return Lead(Start(++seq_, ids), ids, course);
  }

  const std::unique_ptr<Tokenizer> tokenizer_ = *Tokenizer::FromDirectory("tools/nano/checkpoint");
  const TokenId end_ = *tokenizer_->IdOf("<|im_end|>");
  FakeClock::Hands hands_;
  std::unique_ptr<ScriptedRunner> runner_;
  uint64_t step_ = 0;
  uint64_t seq_ = 0;
  int32_t next_block_ = 0;
};

TEST_F(ScriptedRunnerTest, SaysWhatTheRuleSaysAndStops) {
  Play(R"({"when": "weather", "say": "It rains."})");
  const Told told = Ask(Chat("How is the weather?"));
  EXPECT_EQ(Text(told.ids), "It rains.<|im_end|>");
  EXPECT_EQ(told.finish, Finish::kStopId);
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
  const Told told = Ask(Chat("x"));
  EXPECT_EQ(Text(told.ids), "<tool_call>Hello<|im_end|>");
  EXPECT_EQ(std::count(told.ids.begin(), told.ids.end(), *tokenizer_->IdOf("<tool_call>")), 0);
  std::vector<TokenId> expected;
  for (const char* chunk : {"<tool", "_call>", "Hel", "lo"}) {
    const std::vector<TokenId> ids = Ids(chunk);
    expected.insert(expected.end(), ids.begin(), ids.end());
  }
  expected.push_back(end_);
  EXPECT_EQ(told.ids, expected);
}

// The property that fail-over and preemption rest on.
TEST_F(ScriptedRunnerTest, TokensAreAFunctionOfThePromptAlone) {
  Play(R"({"when": "again", "say": "one two three ", "repeat": 6, "tokens_per_step": 3}
{"when": "long", "say": "So it goes. ", "then": "length"}
{"when": "bad", "say": "Then it breaks: ", "then": "nan"})");
  std::mt19937 random(7);
  for (const char* message : {"again, please", "a long one", "bad", "echo this message"}) {
    const std::string prompt = Chat(message);
    const Told alone = Ask(prompt);
    ASSERT_FALSE(alone.ids.empty());
    for (int i = 0; i < 40; ++i) {
      const Course course = {.piece = 1 + random() % 20,
                             .preempt_after = static_cast<int>(random() % alone.ids.size()),
                             .rows = static_cast<int32_t>(1 + random() % 3)};
      const Told other = Ask(prompt, course);
      ASSERT_EQ(other.ids, alone.ids) << message << ": pieces of " << course.piece
                                      << ", preempted after " << course.preempt_after;
      ASSERT_EQ(other.finish, alone.finish);
    }
  }
}

TEST_F(ScriptedRunnerTest, SeveralTokensAStepNeverPassTheLimit) {
  Play(R"({"when": "three", "say": "a b c d e f g h", "tokens_per_step": 3}
{"when": "one", "say": "a b c d e f g h"})");
  EXPECT_EQ(runner_->MakeReady().tokens_per_step, 3);
  EXPECT_EQ(runner_->MakeReady().late_rows, 3) << "guessed rows stand in the ring";
  const std::vector<TokenId> prompt = Ids(Chat("three"));
  for (int32_t limit = 1; limit <= 6; ++limit) {
    StartSequence start = Start(++seq_, prompt);
    start.max_new_tokens = limit;
    const Told told = Lead(start, prompt, {.rows = 3});
    EXPECT_EQ(told.ids.size(), static_cast<size_t>(limit));
    EXPECT_EQ(told.finish, Finish::kMaxTokens);
  }
  Told told;
  const std::vector<TokenId> other = Ids(Chat("one"));
  const StartSequence start = Start(++seq_, other);
  const int32_t length = Prefill(start, other, 1000, told);
  StepPlan plan = NewPlan();
  plan.work.push_back({.seq = start.seq, .begin = length, .num_rows = 3});
  EXPECT_EQ(Run(plan).ids.size(), 1u) << "its rule gives one";
}

TEST_F(ScriptedRunnerTest, NanEndsItsSequenceInAStepOfItsOwn) {
  Play(R"({"when": "bad", "say": "a b c d", "then": "nan", "tokens_per_step": 3}
{"when": "now", "say": "", "then": "nan"})");
  Told told;
  const std::vector<TokenId> prompt = Ids(Chat("bad"));
  const StartSequence start = Start(++seq_, prompt);
  int32_t length = Prefill(start, prompt, 1000, told);
  const size_t said = Ids("a b c d").size();
  while (told.ids.size() < said) {
    StepPlan plan = NewPlan();
    plan.work.push_back({.seq = start.seq, .begin = length, .num_rows = 3});
    const SequenceResult result = Run(plan);
    EXPECT_EQ(result.finish, Finish::kNone);
    length = result.length;
    Take(result, told);
  }
  StepPlan plan = NewPlan();
  plan.work.push_back({.seq = start.seq, .begin = length, .num_rows = 3});
  const SequenceResult last = Run(plan);
  EXPECT_EQ(last.finish, Finish::kError);
  EXPECT_TRUE(last.ids.empty());
  EXPECT_EQ(last.length, length + 1);
  EXPECT_EQ(Ask(Chat("now")).finish, Finish::kError);
  EXPECT_EQ(Text(Ask(Chat("fine")).ids), "fine<|im_end|>") << "the others go on";
}

TEST_F(ScriptedRunnerTest, AHungWorkerReportsNothing) {
  Play(R"({"when": "hang", "say": "s", "then": "hang"})");
  Told told;
  const std::vector<TokenId> prompt = Ids(Chat("hang"));
  const StartSequence start = Start(++seq_, prompt);
  const int32_t length = Prefill(start, prompt, 1000, told);
  ASSERT_EQ(told.ids, Ids("s"));
  StepPlan plan = NewPlan();
  plan.work.push_back({.seq = start.seq, .begin = length, .num_rows = 1});
  EXPECT_FALSE(runner_->Execute(plan).has_value());
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
  const Told all = Lead(endless, prompt, {});
  EXPECT_EQ(all.finish, Finish::kMaxTokens);
  EXPECT_EQ(Text(all.ids).substr(0, 18), "ab cd ab cd ab cd ");
  StartSequence patient = Start(++seq_, prompt);
  patient.sampling.min_tokens = static_cast<int32_t>(said) + 2;
  const Told some = Lead(patient, prompt, {});
  EXPECT_EQ(some.finish, Finish::kStopId);
  EXPECT_EQ(some.ids.size(), said + 3);
  // A stop id of the text's own is passed over until it may be drawn.
  StartSequence early = Start(++seq_, prompt);
  early.stop_ids.push_back(all.ids[1]);
  EXPECT_EQ(Lead(early, prompt, {}).ids.size(), 2u);
  early.seq = SeqId{++seq_};
  early.sampling.min_tokens = 2;
  const Told passed = Lead(early, prompt, {});
  EXPECT_NE(passed.ids[1], all.ids[1]);
  EXPECT_GT(passed.ids.size(), 2u);
}

TEST_F(ScriptedRunnerTest, LogprobsAreToldWhereAsked) {
  Play(R"({"say": "ab cd ", "tokens_per_step": 2})");
  const std::vector<TokenId> prompt = Ids(Chat("x y z"));
  StartSequence start = Start(++seq_, prompt);
  start.top_logprobs = 3;
  start.prompt_logprobs = true;
  const Told told = Lead(start, prompt, {.piece = 3, .rows = 2});
  ASSERT_EQ(told.logprobs.size(), told.ids.size());
  EXPECT_EQ(told.prompt_logprobs.size(), prompt.size() - 1);
  for (size_t i = 0; i < told.ids.size(); ++i) {
    ASSERT_EQ(told.logprobs[i].top.size(), 3u);
    EXPECT_EQ(told.logprobs[i].top[0].id, told.ids[i]);
    EXPECT_EQ(told.logprobs[i].rank, 1);
  }
  EXPECT_EQ(told.prompt_logprobs[0].top[0].id, prompt[1]);
}

TEST_F(ScriptedRunnerTest, RowsBesideOneAnotherTakeTheTimeOfTheSlowest) {
  Play(
      R"({"when": "slow", "say": "a", "then": "length", "token_ms": 20, "prefill_us_per_token": 1000}
{"when": "fast", "say": "a", "then": "length", "token_ms": 5, "prefill_us_per_token": 100, "step_us": 250})");
  const std::vector<TokenId> slow = Ids(Chat("slow")), fast = Ids(Chat("fast"));
  const auto took = [&](const StepPlan& plan) {
    const auto begin = hands_.now;
    const std::optional<StepResult> result = runner_->Execute(plan);
    EXPECT_OK(result->status);
    EXPECT_EQ(std::chrono::microseconds(result->stats.kernel_us), hands_.now - begin);
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
  plan.work[0].draw = plan.work[1].draw = true;
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
  Told told;
  int32_t length = Prefill(Start(1, prompt), prompt, 1000, told);
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
  Told told;
  Prefill(Start(1, prompt), prompt, 10, told);
  EXPECT_EQ(hands_.now - begin, milliseconds(prompt.size()));
}

TEST_F(ScriptedRunnerTest, PlansAgainstTheProtocolAreRefusedAndChangeNothing) {
  Play("");
  const std::vector<TokenId> prompt = Ids(Chat("x"));
  const auto refused = [&](const StepPlan& plan, absl::StatusCode code, const char* says) {
    const std::optional<StepResult> result = runner_->Execute(plan);
    EXPECT_STATUS(result->status, code, says);
    EXPECT_TRUE(result->sequences.empty());
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
  ASSERT_OK(runner_->Execute(plan)->status);
  refused(plan, kPrecondition, "comes after step");
}

TEST_F(ScriptedRunnerTest, ANewTermForgetsSequences) {
  Play("");
  const std::vector<TokenId> prompt = Ids(Chat("x"));
  Told told;
  const int32_t length = Prefill(Start(1, prompt), prompt, 1000, told);
  StepPlan plan = NewPlan();
  plan.work.push_back({.seq = SeqId{1}, .begin = length, .num_rows = 1});
  ASSERT_OK(runner_->JoinEpoch({.epoch = {.term = 2, .number = 1}, .transport_addresses = {""}}));
  plan.epoch = {.term = 2, .number = 1};
  EXPECT_STATUS(runner_->Execute(plan)->status, absl::StatusCode::kFailedPrecondition,
                "not at home");
}

TEST_F(ScriptedRunnerTest, ALongPromptIsReadOnce) {
  Play(R"({"when": "needle", "say": "found"})");
  std::string message;
  for (int i = 0; i < 40'000; ++i) message += "hay ";
  const std::vector<TokenId> prompt = Ids(Chat(message + "needle"));
  ASSERT_GT(prompt.size(), 40'000u);
  const auto begin = std::chrono::steady_clock::now();
  const Told told = Ask(Chat(message + "needle"), {.piece = 512});
  EXPECT_EQ(Text(told.ids), "found<|im_end|>");
  // Reading it again with each of its pieces would take a hundred times as long as once.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(ScriptedRunnerTest, SaysWhatItIs) {
  Play("{}");
  EXPECT_EQ(runner_->hello().vocab_size, 4096);
  EXPECT_EQ(runner_->hello().host, "here");
  EXPECT_EQ(runner_->hello().num_layers, 1);
  EXPECT_EQ(runner_->MakeReady().bytes_per_block, kScriptedBlockBytes);
  EXPECT_EQ(runner_->MakeReady().bytes_per_state, kScriptedStateBytes);
  EXPECT_EQ(runner_->MakeReady().kv_blocks, 4096);
}

}  // namespace
}  // namespace atl
