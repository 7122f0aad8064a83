#include "worker/scripted/scripted_runner.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/detokenizer.h"
#include "worker/executor/plan_order.h"

namespace atl::worker {
namespace {

using std::chrono::nanoseconds;

// A step that comes so soon after the last one began when that ended: it was waiting. So the
// lateness of sleeps does not add up.
constexpr std::chrono::milliseconds kBackToBack(1);

// A message that is still coming is heard so far: its rule is asked for once a chunk.
constexpr size_t kHeardIdsMax = 1024;

constexpr int32_t kLayers = 1;
constexpr int32_t kExperts = 64;  // owned as in any cluster, never run

}  // namespace

absl::StatusOr<std::unique_ptr<ScriptedRunner>> ScriptedRunner::Create(
    ScriptedRunnerOptions options) {
  std::unique_ptr<ScriptedRunner> runner(new ScriptedRunner);
  runner->options_ = std::move(options);
  ScriptedRunnerOptions& own = runner->options_;
  own.limits.home.tokens_per_step = own.script->tokens_per_step_max();
  own.limits.home.late_rows = std::max(own.limits.home.late_rows, own.limits.home.tokens_per_step);
  own.hello.model_digest = own.script->digest();
  own.hello.num_layers = kLayers;
  own.hello.num_experts = kExperts;
  own.limits.home.bytes_per_block = kScriptedBlockBytes;
  own.limits.home.bytes_per_state = kScriptedStateBytes;
  own.hello.vocab_size = own.limits.vocab_size;
  runner->marks_.emplace(*own.tokenizer);
  const std::vector<std::string> closing = {"</think>\n\n"};
  ATOLL_ASSIGN_OR_RETURN(const SpokenText thought_end, Encode(*own.tokenizer, closing));
  const std::vector<std::string> nothing;  // of a rule that says the message
  runner->closing_thought_ = thought_end.ids;
  for (const Rule& rule : own.script->rules()) {
    ATOLL_ASSIGN_OR_RETURN(SpokenText text, Encode(*own.tokenizer, rule.say.value_or(nothing)));
    runner->texts_.push_back(std::move(text));
  }
  return runner;
}

absl::Status ScriptedRunner::JoinEpoch(const EpochStart& start) {
  if (start.epoch.term != epoch_.epoch.term) {
    table_.Clear();
    speakers_.clear();
  }
  epoch_ = start;
  has_joined_ = true;
  last_step_ = 0;
  return absl::OkStatus();
}

WorkerReady ScriptedRunner::MakeReady() const {
  return {.epoch = epoch_.epoch, .rank = epoch_.rank, .capacity = options_.limits.home};
}

absl::Status ScriptedRunner::Check(const StepPlan& plan) const {
  ATOLL_RETURN_IF_ERROR(
      CheckOrder(plan, {.epoch = has_joined_ ? std::optional<Epoch>(epoch_.epoch) : std::nullopt,
                        .rank = epoch_.rank,
                        .num_ranks = epoch_.transport_addresses.size(),
                        .last_step = last_step_}));
  for (const SequenceWork& work : plan.work) {
    if (work.probe != Probe::kNone) {
      return Unimplemented("step {}: sequence {} asks for logits, a script has none", plan.step,
                           Value(work.seq));
    }
  }
  return ValidatePlan(plan, table_, options_.limits);
}

StepResult ScriptedRunner::Execute(const StepPlan& plan) {
  const StepClock::Time begin = options_.clock->Now();
  StepResult result = {
      .epoch = plan.epoch, .step = plan.step, .rank = has_joined_ ? epoch_.rank : -1};
  result.status = Check(plan);
  if (!result.status.ok()) return result;
  last_step_ = plan.step;
  Apply(plan);
  StepCost cost;
  for (const SequenceWork& work : plan.work) {
    if (table_.Find(work.seq)->finish != FinishReason::kNone) continue;
    SequenceResult& each = result.sequences.emplace_back(SequenceResult{.seq = work.seq});
    const Break broken = RunWork(work, each, cost);
    if (broken == Break::kHang) {
      options_.hang();
      result.status = Unavailable("step {}: sequence {} hung until this worker was stopped",
                                  plan.step, Value(work.seq));
      result.sequences.clear();
      return result;
    }
    if (broken == Break::kCrash) options_.crash();
    result.stats.rows += static_cast<uint32_t>(work.num_rows);
  }
  Pass(begin, cost.total());
  result.stats.kernel_us = static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(cost.total()).count());
  return result;
}

void ScriptedRunner::Apply(const StepPlan& plan) {
  ApplyPlan(plan, table_);
  for (const SeqId seq : plan.free) speakers_.erase(seq);
  for (const StartSequence& start : plan.start) {
    speakers_.insert_or_assign(start.seq, Speaker{.prompt = {*options_.tokenizer, *marks_}});
  }
}

ScriptedRunner::Break ScriptedRunner::RunWork(const SequenceWork& work, SequenceResult& result,
                                              StepCost& cost) {
  HomeSequence& sequence = *table_.Find(work.seq);
  Speaker& speaker = speakers_.at(work.seq);
  int32_t num_tokens = work.sample ? 1 : 0;
  if (work.ids.empty()) {
    const Rule& rule = options_.script->rules()[speaker.rule];
    cost.decode = std::max(cost.decode, rule.token_time);
    num_tokens = std::min(rule.tokens_per_step, work.num_rows);
  } else {
    Read(work, sequence, speaker);
    cost.prefill += options_.script->rules()[speaker.rule].prefill_time_per_token * work.ids.size();
    TellPrompt(work, sequence, result);
  }
  cost.step = std::max(cost.step, options_.script->rules()[speaker.rule].step_time);
  sequence.pending.reset();
  const Break broken = Sample(sequence, speaker, num_tokens, result);
  // Of guessed rows those count that led to a token; the first row always does.
  sequence.length +=
      work.ids.empty() ? std::max(1, static_cast<int32_t>(result.ids.size())) : work.num_rows;
  result.length = sequence.length;
  result.finish = sequence.finish;
  return broken;
}

void ScriptedRunner::Read(const SequenceWork& work, const HomeSequence& sequence,
                          Speaker& speaker) {
  const auto known = static_cast<int32_t>(speaker.prompt.num_ids());
  const auto wanted = static_cast<size_t>(
      std::clamp(sequence.start.prompt_length - known, 0, static_cast<int32_t>(work.ids.size())));
  speaker.prompt.Append(std::span(work.ids).first(wanted));
  if (!options_.script->has_conditions()) {
    speaker.rule = options_.script->RuleFor("");
  } else if (wanted > 0) {
    const bool is_whole =
        speaker.prompt.num_ids() == static_cast<size_t>(sequence.start.prompt_length);
    const std::span<const TokenId> heard =
        speaker.prompt.LastUserMessage(is_whole ? SIZE_MAX : kHeardIdsMax);
    speaker.rule = options_.script->RuleFor(Decode(*options_.tokenizer, heard, SkipSpecial::kShow));
  }
}

Answer ScriptedRunner::MakeAnswer(Speaker& speaker) const {
  const Rule& rule = options_.script->rules()[speaker.rule];
  const SpokenText& text = texts_[speaker.rule];
  Answer::Parts parts = {.text = text.ids,
                         .repeat = rule.repeat,
                         .then = rule.then,
                         .end_token = options_.end_token,
                         .vocab_size = options_.limits.vocab_size};
  if (speaker.prompt.EndsInThought() && !text.closes_thought) parts.opening = closing_thought_;
  if (!rule.say) {
    const std::span<const TokenId> message = speaker.prompt.LastUserMessage();
    parts.echo.assign(message.begin(), message.end());
  }
  return Answer(std::move(parts));
}

ScriptedRunner::Break ScriptedRunner::Sample(HomeSequence& sequence, Speaker& speaker,
                                             int32_t num_tokens, SequenceResult& result) {
  if (num_tokens == 0) return Break::kNone;
  if (!speaker.answer) speaker.answer = MakeAnswer(speaker);
  const StartSequence& start = sequence.start;
  while (static_cast<int32_t>(result.ids.size()) < num_tokens &&
         sequence.finish == FinishReason::kNone) {
    const Spoken spoken = speaker.answer->At(sequence.num_sampled, start);
    if (spoken.closing != Closing::kStop && !result.ids.empty()) break;  // in a step of its own
    if (spoken.closing == Closing::kHang) return Break::kHang;
    if (spoken.closing == Closing::kCrash) return Break::kCrash;
    if (spoken.closing == Closing::kNan) {
      sequence.finish = FinishReason::kError;
      break;
    }
    result.ids.push_back(spoken.id);
    if (start.top_logprobs >= 0) {
      result.logprobs.push_back(
          ScriptedLogprobs(spoken.id, start.top_logprobs, options_.limits.vocab_size));
    }
    sequence.AddSampled(spoken.id);
  }
  return Break::kNone;
}

void ScriptedRunner::TellPrompt(const SequenceWork& work, const HomeSequence& sequence,
                                SequenceResult& result) const {
  const StartSequence& start = sequence.start;
  if (!start.prompt_logprobs || start.top_logprobs < 0) return;
  for (size_t i = 0; i < work.ids.size(); ++i) {
    const TokenId next = i + 1 < work.ids.size() ? work.ids[i + 1] : work.next_id;
    const int64_t position = int64_t{work.begin} + static_cast<int64_t>(i) + 1;
    if (position >= start.prompt_length || Value(next) < 0) return;
    result.prompt_logprobs.push_back(
        ScriptedLogprobs(next, start.top_logprobs, options_.limits.vocab_size));
  }
}

void ScriptedRunner::Pass(StepClock::Time begin, nanoseconds cost) {
  if (begin - last_end_ < kBackToBack) begin = last_end_;
  last_end_ = begin + cost;
  if (cost > nanoseconds::zero()) options_.clock->SleepUntil(last_end_);
}

}  // namespace atl::worker
