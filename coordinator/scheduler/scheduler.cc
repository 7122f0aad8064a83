#include "coordinator/scheduler/scheduler.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/kv_block.h"

namespace atl::coordinator {
namespace {

// Tokens that a report of `length` tokens must bring where nothing ended: one when the known
// tokens have all run, then one for each further token that has.
int64_t SamplesDue(const Sequence& sequence, int32_t length) {
  if (length < sequence.prefill_length) return 0;
  return length - std::max(sequence.length, sequence.prefill_length - 1);
}

absl::Status CheckReport(const Sequence& sequence, int32_t rank, const SequenceResult& result) {
  const auto sampled = static_cast<int32_t>(result.ids.size());
  const bool planned = sequence.works_in_flight > 0 && sequence.home == rank &&
                       result.length >= sequence.length &&
                       result.length <= sequence.planned_length &&
                       sequence.num_sampled() + sampled <= sequence.planned_samples;
  const bool moved =
      result.finish != FinishReason::kNone ||
      (result.length > sequence.length && sampled == SamplesDue(sequence, result.length));
  if (planned && moved) return absl::OkStatus();
  return DataLoss(
      "worker {} reports sequence {} with {} tokens and {} sampled; it had {}, planned were up to "
      "{} tokens and {} more samples in {} steps at worker {}",
      rank, Value(result.seq), result.length, sampled, sequence.length, sequence.planned_length,
      sequence.planned_samples - sequence.num_sampled(), sequence.works_in_flight, sequence.home);
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
    CHECK(home.tokens_per_step > 0 && home.late_rows > 0, "{} tokens a step, {} late rows",
          home.tokens_per_step, home.late_rows);
    homes_.push_back({home, HomeLedger(home.kv_blocks, home.state_slots)});
  }
}

void Scheduler::Add(SeqId seq, Request request) {
  CHECK(last_added_ < seq, "sequence {} is not the youngest", Value(seq));
  CHECK(!request.prompt.empty() && request.max_new_tokens > 0 && request.seed.has_value());
  last_added_ = seq;
  Sequence& sequence = sequences_[seq];
  sequence.id = seq;
  sequence.request = std::move(request);
  CHECK(sequence.length_max() <= tokens_max(), "sequence {} can never be admitted", Value(seq));
  waiting_.emplace(sequence.place(), &sequence);
}

bool Scheduler::Remove(SeqId seq) {
  if (!sequences_.contains(seq)) return false;
  End(seq);
  return true;
}

void Scheduler::Release(Sequence& sequence) {
  Home& home = HomeAt(sequence.home);
  if (sequence.state() == SequenceState::kPrefill) {
    --home.num_prefilling;
    home.prefill_rows_left -= sequence.prefill_length - sequence.planned_length;
  }
  home.ledger.Release(sequence.id);
  home.to_free.push_back(sequence.id);
  home.running.erase(sequence.place());
  sequence.admitted = false;
  --num_running_;
}

void Scheduler::End(SeqId seq) {
  const auto it = sequences_.find(seq);
  Sequence& sequence = it->second;
  if (sequence.admitted) {
    Release(sequence);
  } else {
    waiting_.erase(sequence.place());
  }
  sequences_.erase(it);
}

absl::StatusOr<SequenceUpdate> Scheduler::Apply(int32_t rank, const SequenceResult& result) {
  const auto it = sequences_.find(result.seq);
  if (it == sequences_.end()) return SequenceUpdate{};
  Sequence& sequence = it->second;
  const absl::Status checked = CheckReport(sequence, rank, result);
  if (!checked.ok()) return checked;
  sequence.length = result.length;
  sequence.sampled.insert(sequence.sampled.end(), result.ids.begin(), result.ids.end());
  --sequence.works_in_flight;
  if (sequence.works_in_flight == 0 && HomeAt(rank).capacity.tokens_per_step > 1) {
    // A step that may bring several tokens was planned for the most.
    sequence.planned_length = sequence.length;
    sequence.planned_samples = sequence.num_sampled();
  }
  SequenceUpdate update{.known = true};
  if (result.finish == FinishReason::kError || result.finish == FinishReason::kStop) {
    update.reason = result.finish;
  } else if (sequence.num_sampled() == sequence.request.max_new_tokens) {
    update.reason = FinishReason::kLength;
  } else if (result.finish != FinishReason::kNone) {
    return DataLoss("worker {} ends sequence {} at {} of {} tokens", rank, Value(result.seq),
                    sequence.num_sampled(), sequence.request.max_new_tokens);
  }
  if (update.ended()) End(result.seq);
  return update;
}

void Scheduler::ObserveStep(std::span<const StepShape> shapes, int64_t duration_us) {
  const auto slowest =
      std::max_element(shapes.begin(), shapes.end(), [&](const StepShape& a, const StepShape& b) {
        return cost_.PredictUs(a) < cost_.PredictUs(b);
      });
  if (slowest != shapes.end()) cost_.Observe(*slowest, duration_us);
}

int64_t Scheduler::tokens_max() const {
  int64_t blocks = 0;
  for (const Home& home : homes_) blocks = std::max(blocks, home.ledger.num_blocks_total());
  return blocks * kBlockTokens;
}

}  // namespace atl::coordinator
