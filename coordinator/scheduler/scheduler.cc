#include "coordinator/scheduler/scheduler.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace atl {

// What is left of a step while it is planned.
struct Scheduler::StepBudget {
  int32_t rows_left = 0;
  std::vector<int32_t> spares_left;      // by rank
  std::vector<int32_t> logit_rows_left;  // by rank
  PlannedStep step;

  StepPlan& plan(int32_t rank) { return step.plans[static_cast<size_t>(rank)]; }
};

namespace {

Probe ProbeOf(ProbeRows probe) {
  switch (probe) {
    case ProbeRows::kNone:
      return Probe::kNone;
    case ProbeRows::kDigest:
      return Probe::kDigest;
    case ProbeRows::kLogits:
      return Probe::kLogits;
  }
  return Probe::kNone;
}

int64_t BlocksNeeded(const Request& request) {
  return BlocksOf(static_cast<int64_t>(request.prompt.size()) + request.max_new_tokens);
}

StartSequence StartOf(const Sequence& sequence) {
  const Request& request = sequence.request;
  CHECK(request.seed.has_value(), "sequence {} has no seed", Value(sequence.id));
  StartSequence start{.seq = sequence.id,
                      .state_slot = sequence.slot,
                      .prompt_length = sequence.prompt_length(),
                      .max_new_tokens = request.max_new_tokens,
                      .stop_ids = request.stop_ids,
                      .sampling = request.sampling,
                      .rope_factor = request.rope_factor,
                      .vocab_limit = request.vocab_limit,
                      .top_logprobs = request.top_logprobs,
                      .prompt_logprobs = request.prompt_logprobs};
  start.sampling.seed = *request.seed;
  return start;
}

}  // namespace

Scheduler::Scheduler(SchedulerOptions options, Epoch epoch, const std::vector<HomeCapacity>& homes)
    : options_(options), epoch_(epoch) {
  CHECK(!homes.empty());
  CHECK(options.max_num_seqs > 0 && options.max_num_batched_tokens >= options.max_num_seqs &&
            options.logit_rows_max > 0,
        "{} sequences, {} rows, {} rows of logits", options.max_num_seqs,
        options.max_num_batched_tokens, options.logit_rows_max);
  for (const HomeCapacity& home : homes) {
    homes_.push_back({home, HomeLedger(home.kv_blocks, home.state_slots), {}});
  }
}

void Scheduler::Add(SeqId seq, Request request) {
  CHECK(waiting_.empty() || waiting_.back().id < seq, "sequence {} is not the youngest",
        Value(seq));
  CHECK(running_.empty() || running_.rbegin()->first < seq, "sequence {} is not the youngest",
        Value(seq));
  CHECK(!request.prompt.empty() && request.max_new_tokens > 0);
  CHECK(BlocksNeeded(request) * kBlockTokens <= tokens_max(), "sequence {} can never be admitted",
        Value(seq));
  waiting_.push_back({seq, std::move(request)});
}

bool Scheduler::Remove(SeqId seq) {
  const auto it = std::find_if(waiting_.begin(), waiting_.end(),
                               [seq](const Waiting& waiting) { return waiting.id == seq; });
  if (it != waiting_.end()) {
    waiting_.erase(it);
    return true;
  }
  if (!running_.contains(seq)) return false;
  End(seq);
  return true;
}

// The blocks may be given out again at once: the plan that does so names the sequence in `free`,
// which its home applies first, and plans run in order.
void Scheduler::End(SeqId seq) {
  const auto it = running_.find(seq);
  Home& home = homes_[static_cast<size_t>(it->second.home)];
  home.ledger.Release(seq);
  home.to_free.push_back(seq);
  running_.erase(it);
}

std::optional<PlannedStep> Scheduler::PlanStep() {
  StepBudget budget;
  budget.rows_left = options_.max_num_batched_tokens;
  budget.step.plans.resize(homes_.size());
  for (const Home& home : homes_) {
    budget.spares_left.push_back(home.capacity.spares);
    budget.logit_rows_left.push_back(options_.logit_rows_max);
  }
  PlanDecode(budget);
  PlanPrefill(budget);
  Admit(budget);
  PlannedStep& step = budget.step;
  if (step.num_sequences == 0) return std::nullopt;

  std::vector<int32_t> rows_by_rank;
  for (const StepPlan& plan : step.plans) {
    int32_t rows = 0;
    for (const SequenceWork& work : plan.work) rows += work.num_rows;
    rows_by_rank.push_back(rows);
  }
  ++step_;
  for (size_t rank = 0; rank < homes_.size(); ++rank) {
    StepPlan& plan = step.plans[rank];
    plan.epoch = epoch_;
    plan.step = step_;
    plan.rows_by_rank = rows_by_rank;
    plan.free = std::exchange(homes_[rank].to_free, {});
  }
  return std::move(budget.step);
}

void Scheduler::PlanDecode(StepBudget& budget) {
  for (auto& [id, sequence] : running_) {
    if (sequence.state() == SequenceState::kDecode) PlanWork(sequence, budget);
  }
}

void Scheduler::PlanPrefill(StepBudget& budget) {
  for (auto& [id, sequence] : running_) {
    if (sequence.state() == SequenceState::kPrefill) PlanWork(sequence, budget);
  }
}

// In order of arrival: who cannot be admitted blocks those behind.
void Scheduler::Admit(StepBudget& budget) {
  while (!waiting_.empty() && budget.rows_left > 0 && num_running() < options_.max_num_seqs) {
    Waiting& next = waiting_.front();
    const std::optional<int32_t> home = ChooseHome(next.request);
    if (!home) return;
    const bool wants_logits = next.request.probe == ProbeRows::kLogits;
    if (wants_logits && budget.logit_rows_left[static_cast<size_t>(*home)] == 0) return;
    Sequence sequence{.id = next.id, .request = std::move(next.request), .home = *home};
    sequence.slot = homes_[static_cast<size_t>(*home)].ledger.Admit(sequence.id,
                                                                    BlocksNeeded(sequence.request));
    waiting_.pop_front();
    budget.plan(*home).start.push_back(StartOf(sequence));
    const auto [it, is_new] = running_.emplace(sequence.id, std::move(sequence));
    CHECK(is_new && PlanWork(it->second, budget));
  }
}

int32_t Scheduler::PieceRows(const Sequence& sequence, const StepBudget& budget) const {
  const auto home = static_cast<size_t>(sequence.home);
  int32_t rows = 1;
  if (sequence.state() == SequenceState::kPrefill) {
    rows = sequence.prompt_length() - sequence.planned_length;
    // A first piece writes its own slot; a longer one that continues needs a spare.
    if (sequence.planned_length > 0 && budget.spares_left[home] == 0) {
      rows = std::min(rows, homes_[home].capacity.late_rows);
    }
  }
  rows = std::min(rows, budget.rows_left);
  if (sequence.request.probe == ProbeRows::kLogits) {
    rows = std::min(rows, budget.logit_rows_left[home]);
  }
  return rows;
}

bool Scheduler::PlanWork(Sequence& sequence, StepBudget& budget) {
  const int32_t rows = PieceRows(sequence, budget);
  if (rows == 0) return false;
  const auto rank = static_cast<size_t>(sequence.home);
  Home& home = homes_[rank];
  const bool prefill = sequence.state() == SequenceState::kPrefill;
  SequenceWork work{.seq = sequence.id, .begin = sequence.planned_length, .num_rows = rows};
  work.probe = ProbeOf(sequence.request.probe);
  if (prefill) {
    const auto first = sequence.request.prompt.begin() + sequence.planned_length;
    work.ids.assign(first, first + rows);
    budget.step.prefill_rows += rows;
    if (sequence.planned_length > 0 && rows > home.capacity.late_rows) --budget.spares_left[rank];
  } else {
    budget.step.decode_rows += rows;
  }
  sequence.planned_length += rows;
  work.new_blocks = home.ledger.Take(
      sequence.id, BlocksOf(sequence.planned_length) - home.ledger.num_blocks_taken(sequence.id));
  work.draw = sequence.planned_length >= sequence.prompt_length();
  if (work.draw) ++sequence.planned_draws;
  if (sequence.request.probe == ProbeRows::kLogits) budget.logit_rows_left[rank] -= rows;
  budget.rows_left -= rows;
  ++budget.step.num_sequences;
  budget.plan(sequence.home).work.push_back(std::move(work));
  return true;
}

// Fewest sequences, then fewest prompt rows still to run, then the lower rank.
std::optional<int32_t> Scheduler::ChooseHome(const Request& request) const {
  std::optional<int32_t> best;
  std::pair<int32_t, int64_t> best_load;
  for (int32_t rank = 0; rank < num_homes(); ++rank) {
    if (!ledger(rank).CanAdmit(BlocksNeeded(request))) continue;
    const std::pair<int32_t, int64_t> load = {ledger(rank).num_sequences(), PromptRowsLeft(rank)};
    if (best && best_load <= load) continue;
    best = rank;
    best_load = load;
  }
  return best;
}

int64_t Scheduler::PromptRowsLeft(int32_t rank) const {
  int64_t rows = 0;
  for (const auto& [id, sequence] : running_) {
    if (sequence.home != rank) continue;
    rows += std::max(0, sequence.prompt_length() - sequence.planned_length);
  }
  return rows;
}

absl::StatusOr<SequenceUpdate> Scheduler::Apply(int32_t rank, const SequenceResult& result) {
  const auto it = running_.find(result.seq);
  if (it == running_.end()) return SequenceUpdate{};
  Sequence& sequence = it->second;
  const auto drawn = static_cast<int64_t>(result.ids.size());
  if (sequence.home != rank || result.length < sequence.length ||
      result.length > sequence.planned_length || sequence.draws + drawn > sequence.planned_draws) {
    return DataLoss(
        "worker {} reports sequence {} with {} tokens and {} drawn; planned were up to {} tokens "
        "and {} more draws at worker {}",
        rank, Value(result.seq), result.length, drawn, sequence.planned_length,
        sequence.planned_draws - sequence.draws, sequence.home);
  }
  sequence.length = result.length;
  sequence.draws += static_cast<int32_t>(drawn);
  SequenceUpdate update{.known = true};
  if (result.finish == Finish::kError) {
    update.reason = FinishReason::kError;
  } else if (result.finish == Finish::kStopId) {
    update.reason = FinishReason::kStop;
  } else if (sequence.draws == sequence.request.max_new_tokens) {
    update.reason = FinishReason::kLength;
  } else if (result.finish == Finish::kMaxTokens) {
    return DataLoss("worker {} ends sequence {} at {} of {} tokens", rank, Value(result.seq),
                    sequence.draws, sequence.request.max_new_tokens);
  } else {
    return update;
  }
  update.ended = true;
  End(result.seq);
  return update;
}

int64_t Scheduler::tokens_max() const {
  int64_t blocks = 0;
  for (const Home& home : homes_) blocks = std::max(blocks, home.ledger.num_blocks_total());
  return blocks * kBlockTokens;
}

}  // namespace atl
