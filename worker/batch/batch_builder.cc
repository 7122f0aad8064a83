#include "worker/batch/batch_builder.h"

#include <algorithm>
#include <set>

#include "common/base/kv_block.h"
#include "common/base/status_macros.h"
#include "kernels/ops/attention/kv_layout.h"

namespace atl::worker {
namespace {

constexpr int32_t kPositionsMax = 1 << 24;  // angles are exact in fp32 below

absl::Status ValidateLengths(const StepPlan& plan, const StartSequence& start) {
  if (start.max_new_tokens < 0 || start.prompt_length < 1) {
    return FailedPrecondition("step {}: sequence {} has a prompt of {} tokens and {} to sample",
                              plan.step, Value(start.seq), start.prompt_length,
                              start.max_new_tokens);
  }
  if (start.num_sampled < 0 ||
      (start.num_sampled > 0 && start.num_sampled >= start.max_new_tokens)) {
    return FailedPrecondition("step {}: sequence {} begins anew with {} tokens sampled of {}",
                              plan.step, Value(start.seq), start.num_sampled, start.max_new_tokens);
  }
  if (start.prompt_logprobs && start.top_logprobs < 0) {
    return FailedPrecondition("step {}: sequence {} wants log-probabilities of its prompt alone",
                              plan.step, Value(start.seq));
  }
  return absl::OkStatus();
}

absl::Status ValidateStarts(const StepPlan& plan, const SequenceTable& table,
                            const BatchLimits& limits) {
  const std::set<SeqId> freed(plan.free.begin(), plan.free.end());
  std::set<SlotId> slots;
  for (const auto& [seq, sequence] : table.all()) {
    if (!freed.contains(seq)) slots.insert(sequence.start.state_slot);
  }
  std::set<SeqId> started;
  for (const StartSequence& start : plan.start) {
    if ((table.Find(start.seq) != nullptr && !freed.contains(start.seq)) ||
        !started.insert(start.seq).second) {
      return FailedPrecondition("step {}: sequence {} is started twice", plan.step,
                                Value(start.seq));
    }
    if (Value(start.state_slot) < 0 || Value(start.state_slot) >= limits.home.state_slots ||
        !slots.insert(start.state_slot).second) {
      return FailedPrecondition(
          "step {}: sequence {} is given state slot {} of {}, which is not free", plan.step,
          Value(start.seq), Value(start.state_slot), limits.home.state_slots);
    }
    if (start.rope_factor != 1.0f) {
      return Unimplemented(
          "step {}: sequence {} asks for rope factor {}; a factor of its own for each request is "
          "not there yet",
          plan.step, Value(start.seq), start.rope_factor);
    }
    ATOLL_RETURN_IF_ERROR(ValidateLengths(plan, start));
  }
  return absl::OkStatus();
}

// What ValidateWork needs of a sequence, whether it is in the table or about to start.
struct Expected {
  int32_t length = 0;
  int64_t known = 0;  // tokens of prompt and answer that are sampled
  size_t num_blocks = 0;
  bool pending = false;
  bool ended = false;
};

absl::StatusOr<Expected> Lookup(const StepPlan& plan, const SequenceTable& table, SeqId seq) {
  for (const StartSequence& start : plan.start) {
    if (start.seq == seq)
      return Expected{.known = int64_t{start.prompt_length} + start.num_sampled};
  }
  const HomeSequence* sequence = table.Find(seq);
  if (sequence == nullptr ||
      std::find(plan.free.begin(), plan.free.end(), seq) != plan.free.end()) {
    return FailedPrecondition("step {}: sequence {} is not at home here", plan.step, Value(seq));
  }
  return Expected{.length = sequence->length,
                  .known = int64_t{sequence->start.prompt_length} + sequence->num_sampled,
                  .num_blocks = sequence->blocks.size(),
                  .pending = sequence->pending.has_value(),
                  .ended = sequence->finish != FinishReason::kNone};
}

absl::Status ValidateTokens(const StepPlan& plan, const SequenceWork& work,
                            const BatchLimits& limits) {
  for (const TokenId id : work.ids) {
    if (Value(id) < 0 || Value(id) >= limits.vocab_size) {
      return FailedPrecondition("step {}: sequence {} holds token {}, the vocabulary has {}",
                                plan.step, Value(work.seq), Value(id), limits.vocab_size);
    }
  }
  if (Value(work.next_id) < -1 || Value(work.next_id) >= limits.vocab_size) {
    return FailedPrecondition("step {}: sequence {} goes on with token {}, the vocabulary has {}",
                              plan.step, Value(work.seq), Value(work.next_id), limits.vocab_size);
  }
  return absl::OkStatus();
}

absl::Status ValidateWork(const StepPlan& plan, const SequenceWork& work, const Expected& expected,
                          const BatchLimits& limits) {
  if (work.begin != expected.length) {
    return FailedPrecondition("step {}: sequence {} is planned from {}, it stands at {}", plan.step,
                              Value(work.seq), work.begin, expected.length);
  }
  const bool is_chunk = !work.ids.empty();
  const bool fits = is_chunk ? work.ids.size() == static_cast<size_t>(work.num_rows)
                             : work.num_rows <= limits.home.tokens_per_step && expected.pending;
  if (work.num_rows < 1 || !fits) {
    return FailedPrecondition("step {}: sequence {} is planned {} rows with {} ids", plan.step,
                              Value(work.seq), work.num_rows, work.ids.size());
  }
  ATOLL_RETURN_IF_ERROR(ValidateTokens(plan, work, limits));
  const int64_t end = int64_t{work.begin} + work.num_rows;
  // Rows that a worker guesses go on from there.
  const int64_t end_of_known = is_chunk ? end : int64_t{work.begin} + 1;
  if (end_of_known > expected.known || (work.sample && end_of_known < expected.known)) {
    return FailedPrecondition("step {}: sequence {} is planned to {}{}, it has {} tokens",
                              plan.step, Value(work.seq), work.sample ? "sample after " : "",
                              end_of_known, expected.known);
  }
  for (const BlockId block : work.new_blocks) {
    if (Value(block) < 0 || Value(block) >= limits.home.kv_blocks) {
      return FailedPrecondition("step {}: sequence {} is given block {} of {}", plan.step,
                                Value(work.seq), Value(block), limits.home.kv_blocks);
    }
  }
  const int64_t held =
      static_cast<int64_t>(expected.num_blocks + work.new_blocks.size()) * kBlockTokens;
  if (end > held || end > kPositionsMax) {
    return FailedPrecondition("step {}: sequence {} would reach token {}, its blocks hold {}",
                              plan.step, Value(work.seq), end, held);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidatePlan(const StepPlan& plan, const SequenceTable& table,
                          const BatchLimits& limits) {
  ATOLL_RETURN_IF_ERROR(ValidateStarts(plan, table, limits));
  std::set<SeqId> seen;
  int num_long = 0;
  for (const SequenceWork& work : plan.work) {
    if (!seen.insert(work.seq).second)
      return FailedPrecondition("step {}: sequence {} is planned twice", plan.step,
                                Value(work.seq));
    ATOLL_ASSIGN_OR_RETURN(const Expected expected, Lookup(plan, table, work.seq));
    if (expected.ended) continue;
    ATOLL_RETURN_IF_ERROR(ValidateWork(plan, work, expected, limits));
    if (work.begin > 0 && work.num_rows > limits.home.late_rows) ++num_long;
  }
  if (num_long > limits.home.spares) {
    return FailedPrecondition("step {}: {} continuing chunks, {} spares", plan.step, num_long,
                              limits.home.spares);
  }
  return absl::OkStatus();
}

Taken ApplyPlan(const StepPlan& plan, SequenceTable& table) {
  Taken taken;
  for (const SeqId seq : plan.free) table.Erase(seq);
  for (const StartSequence& start : plan.start) {
    table.Add(start);
    taken.slots.push_back(start.state_slot);
  }
  for (const SequenceWork& work : plan.work) {
    HomeSequence& sequence = *table.Find(work.seq);
    if (sequence.finish != FinishReason::kNone) continue;
    sequence.blocks.insert(sequence.blocks.end(), work.new_blocks.begin(), work.new_blocks.end());
    taken.blocks.insert(taken.blocks.end(), work.new_blocks.begin(), work.new_blocks.end());
  }
  return taken;
}

BatchInput BuildBatch(const StepPlan& plan, SequenceTable& table, const BatchLimits& limits) {
  BatchInput batch;
  int next_spare = 0;
  for (const SequenceWork& work : plan.work) {
    HomeSequence& sequence = *table.Find(work.seq);
    if (sequence.finish != FinishReason::kNone) continue;
    SequenceRows rows = {.row_begin = static_cast<int>(batch.ids.size()),
                         .num_rows = work.num_rows,
                         .position_begin = work.begin,
                         .blocks = sequence.blocks,
                         .slot = sequence.start.state_slot};
    if (work.begin == 0) {
      rows.store = kernels::DeltaStore::kOwn;
    } else if (work.num_rows > limits.home.late_rows) {
      rows.store = kernels::DeltaStore::kSpare;
      rows.spare = next_spare++;
    }
    if (work.ids.empty()) {
      batch.ids.push_back(*sequence.pending);
    } else {
      batch.ids.insert(batch.ids.end(), work.ids.begin(), work.ids.end());
    }
    for (int32_t i = 0; i < work.num_rows; ++i) batch.positions.push_back(work.begin + i);
    batch.rows.push_back(rows);
    batch.entries.push_back({&sequence, &work});
  }
  return batch;
}

}  // namespace atl::worker
