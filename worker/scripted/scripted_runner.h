// ScriptedRunner: a worker's forward pass that is a script. It obeys plans and epochs like an
// executor, by the same checks, and keeps a sequence's length, tokens and end; it has no weights,
// no peers to exchange rows with, and its pools are numbers. What it samples is a function of the
// prompt, the token's index and the request: not of the chunks, the batch, or a preemption in
// between.
//
//   ATOLL_ASSIGN_OR_RETURN(auto script, Script::Load("rules.jsonl"));
//   auto runner = ScriptedRunner::Create({.script = std::move(script), …});
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "common/tokenizer/tokenizer.h"
#include "worker/batch/batch_builder.h"
#include "worker/executor/step_runner.h"
#include "worker/scripted/answer.h"
#include "worker/scripted/prompt_reader.h"
#include "worker/scripted/script.h"
#include "worker/scripted/step_clock.h"

namespace atl::worker {

// Nominal, and small, so that a test can name a pool of few sequences in bytes.
inline constexpr int64_t kScriptedBlockBytes = 1024;
inline constexpr int64_t kScriptedStateBytes = 4096;

struct ScriptedRunnerOptions {
  std::unique_ptr<const Script> script;
  std::unique_ptr<const Tokenizer> tokenizer;
  TokenId end_token{};
  // Of the home: kv_blocks to late_rows. late_rows is raised to the script's tokens_per_step, for
  // these rows stand in a state's ring; the rest is the runner's. vocab_size is the model's.
  BatchLimits limits{};
  WorkerHello hello{};  // of process and machine; the runner fills in what is the model's
  std::unique_ptr<StepClock> clock;
  std::function<void()> crash;  // does not return
  std::function<void()> hang;   // returns when the process is told to stop
};

class ScriptedRunner : public StepRunner {
 public:
  // kInvalidArgument: a rule's text is no UTF-8.
  static absl::StatusOr<std::unique_ptr<ScriptedRunner>> Create(ScriptedRunnerOptions options);

  const WorkerHello& hello() const override { return options_.hello; }
  absl::Status JoinEpoch(const EpochStart& start) override;
  WorkerReady MakeReady() const override;
  // kUnimplemented: a plan that asks for logits. kUnavailable: a hang that was ended.
  StepResult Execute(const StepPlan& plan) override;
  void Progress() override {}
  void EndEpoch(const std::string& /*reason*/) override {}

 private:
  struct Speaker {
    PromptReader prompt;
    std::optional<Answer> answer;
    size_t rule = 0;  // of the answer; before it is known, of the prompt so far
  };
  struct StepCost {
    std::chrono::nanoseconds step{0}, prefill{0}, decode{0};
    std::chrono::nanoseconds total() const { return step + prefill + decode; }
  };
  // What ends a step before it is reported, if anything does.
  enum class Break : uint8_t { kNone, kHang, kCrash };

  ScriptedRunner() = default;
  absl::Status Check(const StepPlan& plan) const;
  void Apply(const StepPlan& plan);
  Break RunWork(const SequenceWork& work, SequenceResult& result, StepCost& cost);
  void Read(const SequenceWork& work, const HomeSequence& sequence, Speaker& speaker);
  Break Sample(HomeSequence& sequence, Speaker& speaker, int32_t num_tokens,
               SequenceResult& result);
  void TellPrompt(const SequenceWork& work, const HomeSequence& sequence,
                  SequenceResult& result) const;
  Answer MakeAnswer(Speaker& speaker) const;
  void Pass(StepClock::Time begin, std::chrono::nanoseconds cost);

  ScriptedRunnerOptions options_;
  std::optional<PromptMarks> marks_;
  std::vector<SpokenText> texts_;         // by rule
  std::vector<TokenId> closing_thought_;  // "</think>" and an empty line
  SequenceTable table_;
  std::map<SeqId, Speaker> speakers_;  // of every sequence in the table
  EpochStart epoch_;
  bool has_joined_ = false;
  uint64_t last_step_ = 0;
  StepClock::Time last_end_{};
};

}  // namespace atl::worker
