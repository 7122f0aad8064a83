// Scheduler::PlanStep: one step, from the rows that must run to those that may begin.
#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "coordinator/scheduler/scheduler.h"

namespace atl::coordinator {

// A step while it is planned, and what is left of it.
struct Scheduler::StepDraft {
  int32_t rows_left = 0;
  std::vector<int32_t> logit_rows_left;  // by rank
  PlannedStep step;

  int32_t& logit_rows(int32_t rank) { return logit_rows_left[static_cast<size_t>(rank)]; }
  int32_t logit_rows(int32_t rank) const { return logit_rows_left[static_cast<size_t>(rank)]; }
  StepPlan& plan(int32_t rank) { return step.plans[static_cast<size_t>(rank)]; }
  StepShape& shape(int32_t rank) { return step.shapes[static_cast<size_t>(rank)]; }
  const StepShape& shape(int32_t rank) const { return step.shapes[static_cast<size_t>(rank)]; }
};

namespace {

// A step takes long in itself, so a chunk is not cut shorter than this: beside many answers a
// prompt moves on although the target is missed, and a second prompt waits for a better step.
constexpr int32_t kChunkRowsMin = 16;
// Where the answers alone take the target or more, prompts get this share of the answers' time on
// top: else a request that comes would wait, a few rows a step, until others have ended.
constexpr double kPrefillShareMin = 0.25;
// An admission leaves a free block for every so many sequences that are there: who is admitted
// last is the first to be recomputed, so the others must have room to grow for a while.
constexpr int32_t kSequencesPerFreeBlock = 4;

StartSequence StartOf(const Sequence& sequence, SlotId slot) {
  const Request& request = sequence.request;
  StartSequence start{.seq = sequence.id,
                      .state_slot = slot,
                      .prompt_length = sequence.prompt_length(),
                      .num_sampled = sequence.num_sampled(),
                      .max_new_tokens = request.max_new_tokens,
                      .stop_ids = request.stop_ids,
                      .sampling = request.sampling,
                      .rope_factor = request.rope_factor,
                      .vocab_limit = request.vocab_limit,
                      .top_logprobs = request.top_logprobs,
                      // All told before the first sample.
                      .prompt_logprobs = request.prompt_logprobs && sequence.sampled.empty()};
  start.sampling.seed = *request.seed;
  return start;
}

// Known tokens `begin` … `begin + rows - 1`: the prompt's, then those sampled.
std::vector<TokenId> ChunkIds(const Sequence& sequence, int32_t begin, int32_t rows) {
  std::vector<TokenId> ids;
  ids.reserve(static_cast<size_t>(rows));
  const int32_t end = begin + rows;
  const int32_t prompt_end = std::min(end, sequence.prompt_length());
  for (int32_t i = begin; i < prompt_end; ++i) {
    ids.push_back(sequence.request.prompt[static_cast<size_t>(i)]);
  }
  for (int32_t i = std::max(begin, prompt_end); i < end; ++i) {
    ids.push_back(sequence.sampled[static_cast<size_t>(i - prompt_end)]);
  }
  return ids;
}

}  // namespace

std::optional<PlannedStep> Scheduler::PlanStep() {
  StepDraft draft;
  draft.rows_left = options_.max_num_batched_tokens;
  draft.step.plans.resize(homes_.size());
  draft.step.shapes.resize(homes_.size());
  draft.logit_rows_left.assign(homes_.size(), options_.logit_rows_max);
  PlanDecode(draft);
  PlanPrefill(draft);
  Admit(draft);
  const bool frees = std::any_of(homes_.begin(), homes_.end(),
                                 [](const Home& home) { return !home.to_free.empty(); });
  if (draft.step.num_sequences == 0 && !frees) return std::nullopt;
  Seal(draft);
  return std::move(draft.step);
}

void Scheduler::Seal(StepDraft& draft) {
  PlannedStep& step = draft.step;
  std::vector<int32_t> rows_by_rank;
  double predicted_us = 0;
  for (const StepShape& shape : step.shapes) {
    rows_by_rank.push_back(shape.decode_rows + shape.prefill_rows);
    step.decode_rows += shape.decode_rows;
    step.prefill_rows += shape.prefill_rows;
    predicted_us = std::max(predicted_us, cost_.PredictUs(shape));
  }
  step.predicted_us = static_cast<int64_t>(predicted_us);
  ++step_;
  for (size_t rank = 0; rank < homes_.size(); ++rank) {
    StepPlan& plan = step.plans[rank];
    plan.epoch = epoch_;
    plan.step = step_;
    plan.rows_by_rank = rows_by_rank;
    plan.free = std::exchange(homes_[rank].to_free, {});
  }
}

void Scheduler::PlanDecode(StepDraft& draft) {
  for (Home& home : homes_) {
    for (auto it = home.running.begin(); it != home.running.end(); ++it) {
      Sequence& sequence = *it->second;
      const int32_t rows = DecodeRows(sequence, draft);
      if (rows == 0) continue;
      const int64_t blocks = BlocksOf(sequence.planned_length + rows) - sequence.num_blocks;
      // Whoever is preempted stands behind, so it has no work in this step yet.
      if (!PreemptFor(sequence, blocks, draft)) break;
      PlanWork(sequence, rows, draft);
    }
  }
}

int32_t Scheduler::DecodeRows(const Sequence& sequence, const StepDraft& draft) const {
  if (sequence.state() != SequenceState::kDecode) return 0;
  int32_t rows = 1;
  const int32_t tokens_per_step = HomeAt(sequence.home).capacity.tokens_per_step;
  if (tokens_per_step > 1) {
    if (sequence.works_in_flight > 0) return 0;  // it is not known where it will stand
    // A row for everyone and a chunk of a prompt come before a second row for anybody.
    const int32_t share =
        std::max(1, (options_.max_num_batched_tokens - kChunkRowsMin) / num_running_);
    rows = std::min(
        {tokens_per_step, share, sequence.request.max_new_tokens - sequence.planned_samples});
  }
  if (sequence.request.probe == Probe::kLogits) {
    rows = std::min(rows, draft.logit_rows(sequence.home));
  }
  return std::min(rows, draft.rows_left);
}

bool Scheduler::PreemptFor(const Sequence& sequence, int64_t blocks, StepDraft& draft) {
  const Home& home = HomeAt(sequence.home);
  while (home.ledger.num_blocks_free() < blocks) {
    Sequence& last = *home.running.rbegin()->second;
    Preempt(last, draft);
    if (&last == &sequence) return false;
  }
  return true;
}

void Scheduler::Preempt(Sequence& sequence, StepDraft& draft) {
  // One whose samples are all under way only waits for its last reports: there is nothing to
  // recompute.
  const bool planned_out = sequence.state() == SequenceState::kPlannedOut &&
                           HomeAt(sequence.home).capacity.tokens_per_step == 1;
  Release(sequence);
  if (planned_out) return;
  draft.step.preempted.push_back({sequence.id, sequence.home});
  waiting_.emplace(sequence.place(), &sequence);
}

void Scheduler::PlanPrefill(StepDraft& draft) {
  std::vector<Sequence*> prefilling;
  for (const Home& home : homes_) {
    if (home.num_prefilling == 0) continue;
    for (const auto& [place, sequence] : home.running) {
      if (sequence->state() == SequenceState::kPrefill) prefilling.push_back(sequence);
    }
  }
  std::sort(prefilling.begin(), prefilling.end(),
            [](const Sequence* a, const Sequence* b) { return a->place() < b->place(); });
  for (Sequence* sequence : prefilling) {
    const int32_t rows = ChunkRows(*sequence, sequence->home, draft);
    if (rows > 0) PlanWork(*sequence, rows, draft);
  }
}

int32_t Scheduler::ChunkRows(const Sequence& sequence, int32_t rank, const StepDraft& draft) const {
  const HomeCapacity& capacity = HomeAt(rank).capacity;
  const int32_t begin = sequence.admitted ? sequence.planned_length : 0;
  int32_t rows = std::min(sequence.known_length() - begin, draft.rows_left);
  if (sequence.request.probe == Probe::kLogits) {
    rows = std::min(rows, draft.logit_rows(rank));
  }
  // A first chunk writes its own slot. One that continues needs a spare, or is of late_rows:
  // CanAdmit lets no more of them in than there are spares.
  if (begin > 0 && capacity.spares == 0) rows = std::min(rows, capacity.late_rows);
  if (options_.step_time_target_us == 0) return rows;
  const StepShape& shape = draft.shape(rank);
  const int32_t within = cost_.RowsWithin(shape, begin, rows, StepTimeUs(shape));
  const int32_t rows_min = std::min(rows, kChunkRowsMin);
  if (within >= rows_min) return within;
  return shape.prefill_rows == 0 ? rows_min : 0;
}

int64_t Scheduler::StepTimeUs(const StepShape& shape) const {
  const StepShape answers{.decode_rows = shape.decode_rows, .decode_depth = shape.decode_depth};
  const double with_share = cost_.PredictUs(answers) * (1.0 + kPrefillShareMin);
  return std::max(options_.step_time_target_us, static_cast<int64_t>(with_share));
}

void Scheduler::Admit(StepDraft& draft) {
  while (!waiting_.empty() && num_running_ < options_.max_num_seqs) {
    Sequence& next = *waiting_.begin()->second;
    // A preempted one may have samples under way that it will be recomputed with.
    if (next.works_in_flight > 0) return;
    const std::optional<int32_t> rank = ChooseHome(next, draft);
    if (!rank) return;
    Home& home = HomeAt(*rank);
    const int32_t rows = ChunkRows(next, *rank, draft);
    waiting_.erase(waiting_.begin());
    const SlotId slot = home.ledger.Admit(next.id, BlocksOf(next.known_length()));
    draft.plan(*rank).start.push_back(StartOf(next, slot));
    next.home = *rank;
    next.admitted = true;
    next.prefill_length = next.known_length();
    next.planned_length = next.length = 0;
    next.planned_samples = next.num_sampled();
    next.num_blocks = 0;
    home.running.emplace(next.place(), &next);
    ++home.num_prefilling;
    home.prefill_rows_left += next.prefill_length;
    ++num_running_;
    PlanWork(next, rows, draft);
  }
}

// Fewest sequences, then fewest prompt rows still to run, then the lower rank.
std::optional<int32_t> Scheduler::ChooseHome(const Sequence& sequence,
                                             const StepDraft& draft) const {
  std::optional<int32_t> best;
  std::pair<int32_t, int64_t> best_load;
  for (int32_t rank = 0; rank < num_homes(); ++rank) {
    if (!CanAdmit(sequence, rank, draft)) continue;
    const std::pair<int32_t, int64_t> load = {ledger(rank).num_sequences(),
                                              HomeAt(rank).prefill_rows_left};
    if (best && best_load <= load) continue;
    best = rank;
    best_load = load;
  }
  return best;
}

bool Scheduler::CanAdmit(const Sequence& sequence, int32_t rank, const StepDraft& draft) const {
  const Home& home = HomeAt(rank);
  const int64_t blocks_max = BlocksOf(sequence.length_max());
  if (blocks_max > home.ledger.num_blocks_total()) return false;
  // What it brings and a block to grow into, and room for those that are there.
  const int64_t blocks = std::min(BlocksOf(sequence.known_length()) + 1, blocks_max) +
                         home.ledger.num_sequences() / kSequencesPerFreeBlock;
  if (!home.ledger.CanAdmit(blocks)) return false;
  const int32_t rows = ChunkRows(sequence, rank, draft);
  if (rows == 0) return false;
  // What a first chunk leaves will need a spare in every step until it is done.
  return rows == sequence.known_length() || home.num_prefilling < std::max(1, home.capacity.spares);
}

void Scheduler::PlanWork(Sequence& sequence, int32_t rows, StepDraft& draft) {
  const int32_t rank = sequence.home;
  Home& home = HomeAt(rank);
  const int32_t begin = sequence.planned_length;
  const bool prefill = sequence.state() == SequenceState::kPrefill;
  SequenceWork work{.seq = sequence.id, .begin = begin, .num_rows = rows};
  work.probe = sequence.request.probe;
  sequence.planned_length += rows;
  const int32_t end = sequence.planned_length;
  if (prefill) {
    work.ids = ChunkIds(sequence, begin, rows);
    if (sequence.request.prompt_logprobs && sequence.sampled.empty() &&
        end < sequence.prompt_length()) {
      work.next_id = sequence.request.prompt[static_cast<size_t>(end)];
    }
    home.prefill_rows_left -= rows;
    if (end == sequence.prefill_length) --home.num_prefilling;
    draft.shape(rank).AddPrefill(begin, rows);
  } else {
    draft.shape(rank).AddDecode(begin, rows);
  }
  work.sample = end >= sequence.prefill_length;
  if (work.sample) sequence.planned_samples += prefill ? 1 : rows;
  const int64_t new_blocks = BlocksOf(end) - sequence.num_blocks;
  if (new_blocks > 0) {
    work.new_blocks = home.ledger.Take(sequence.id, new_blocks);
    sequence.num_blocks += new_blocks;
  }
  if (work.probe == Probe::kLogits) draft.logit_rows(rank) -= rows;
  draft.rows_left -= rows;
  ++sequence.works_in_flight;
  ++draft.step.num_sequences;
  draft.plan(rank).work.push_back(std::move(work));
}

}  // namespace atl::coordinator
