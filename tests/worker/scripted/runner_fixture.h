// A scripted runner in an epoch, with a clock of the test's own, and what a coordinator keeps to
// plan for it.
#pragma once

#include "worker/scripted/scripted_runner.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/tokenizer/detokenizer.h"
#include "tests/support/status_matchers.h"

namespace atl::worker {

using std::chrono::milliseconds;

inline constexpr Epoch kEpoch = {.term = 1, .number = 1};
inline constexpr int kCrashStatus = 7;

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

// All sampled ids of a sequence, and how it ended.
struct Reported {
  std::vector<TokenId> ids;
  FinishReason finish = FinishReason::kNone;
  std::vector<TokenLogprobs> logprobs, prompt_logprobs;
};
// How one sequence is led through its life.
struct Course {
  size_t chunk = 1000;     // prompt tokens of a chunk
  int preempt_after = -1;  // samples; −1: never
  int32_t rows = 1;        // of a decode step
};

class ScriptedRunnerTest : public ::testing::Test {
 protected:
  void Play(const std::string& script) {
    auto parsed = Script::Parse(script, "script");
    ASSERT_OK(parsed);
    auto tokenizer = Tokenizer::FromDirectory("tools/nano/checkpoint");
    ASSERT_OK(tokenizer);
    const int32_t vocab_size = (*tokenizer)->vocab_size();
    auto runner = ScriptedRunner::Create(
        {.script = std::move(*parsed),
         .tokenizer = std::move(*tokenizer),
         .end_token = end_,
         .limits = {.home = {.kv_blocks = 4096, .state_slots = 64, .spares = 4, .late_rows = 1},
                    .vocab_size = vocab_size},
         .hello = {.host = "here"},
         .clock = std::make_unique<FakeClock>(hands_),
         .crash = [] { std::_Exit(kCrashStatus); },
         .hang = [this] { ++num_hangs_; }});
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
    const StepResult result = runner_->Execute(plan);
    EXPECT_OK(result.status);
    EXPECT_EQ(result.sequences.size(), 1u);
    return result.sequences.empty() ? SequenceResult{} : result.sequences[0];
  }

  void Take(const SequenceResult& result, Reported& reported) {
    reported.ids.insert(reported.ids.end(), result.ids.begin(), result.ids.end());
    reported.logprobs.insert(reported.logprobs.end(), result.logprobs.begin(),
                             result.logprobs.end());
    reported.prompt_logprobs.insert(reported.prompt_logprobs.end(), result.prompt_logprobs.begin(),
                                    result.prompt_logprobs.end());
    reported.finish = result.finish;
  }

  // Chunks of `known`, the last of which samples.
  int32_t Prefill(StartSequence start, const std::vector<TokenId>& known, size_t chunk,
                  Reported& reported) {
    int32_t length = 0;
    for (size_t begin = 0; begin < known.size(); begin += chunk) {
      const size_t count = std::min(chunk, known.size() - begin);
      StepPlan plan = NewPlan();
      if (begin == 0) plan.start.push_back(start);
      plan.work.push_back({.seq = start.seq,
                           .begin = static_cast<int32_t>(begin),
                           .num_rows = static_cast<int32_t>(count),
                           .ids = {known.begin() + static_cast<std::ptrdiff_t>(begin),
                                   known.begin() + static_cast<std::ptrdiff_t>(begin + count)},
                           .sample = begin + count == known.size()});
      if (begin + count < known.size()) plan.work[0].next_id = known[begin + count];
      if (begin == 0) plan.work[0].new_blocks = Blocks(known.size() + 100);
      const SequenceResult result = Run(plan);
      length = result.length;
      Take(result, reported);
    }
    EXPECT_EQ(length, static_cast<int32_t>(known.size()));
    return length;
  }

  // From its prompt to its end; `start` names it.
  Reported Lead(StartSequence start, const std::vector<TokenId>& prompt, const Course& course) {
    Reported reported;
    int32_t length = Prefill(start, prompt, course.chunk, reported);
    bool was_preempted = false;
    while (reported.finish == FinishReason::kNone) {
      const auto sampled = static_cast<int>(reported.ids.size());
      if (!was_preempted && course.preempt_after >= 0 && sampled >= course.preempt_after) {
        was_preempted = true;
        StepPlan plan = NewPlan();
        plan.free = {start.seq};
        EXPECT_OK(runner_->Execute(plan).status);
        start.num_sampled = sampled;
        std::vector<TokenId> known = prompt;
        known.insert(known.end(), reported.ids.begin(), reported.ids.end());
        length = Prefill(start, known, course.chunk, reported);
        continue;
      }
      StepPlan plan = NewPlan();
      plan.work.push_back({.seq = start.seq, .begin = length, .num_rows = course.rows});
      plan.work[0].sample = true;
      const SequenceResult result = Run(plan);
      EXPECT_EQ(result.length - length, std::max<int>(1, static_cast<int>(result.ids.size())));
      length = result.length;
      Take(result, reported);
    }
    StepPlan plan = NewPlan();
    plan.free = {start.seq};
    EXPECT_OK(runner_->Execute(plan).status);
    return reported;
  }

  Reported Ask(const std::string& prompt, const Course& course = {}) {
    const std::vector<TokenId> ids = Ids(prompt);
    return Lead(Start(++seq_, ids), ids, course);
  }

  const std::unique_ptr<Tokenizer> tokenizer_ = *Tokenizer::FromDirectory("tools/nano/checkpoint");
  const TokenId end_ = *tokenizer_->IdOf("<|im_end|>");
  FakeClock::Hands hands_;
  int num_hangs_ = 0;
  std::unique_ptr<ScriptedRunner> runner_;
  uint64_t step_ = 0;
  uint64_t seq_ = 0;
  int32_t next_block_ = 0;
};

}  // namespace atl::worker
