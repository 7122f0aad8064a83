#include "tests/support/fake_worker.h"

#include <algorithm>

#include "common/base/status_macros.h"

namespace atl::testing {

TokenId FakeDraw(const std::vector<TokenId>& tokens, int32_t vocab_size) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const TokenId id : tokens) {
    hash = (hash ^ static_cast<uint64_t>(Value(id))) * 0x100000001b3;
  }
  return TokenId{static_cast<int32_t>((hash >> 20) % static_cast<uint64_t>(vocab_size))};
}

std::vector<TokenId> FakeAnswer(std::vector<TokenId> prompt, int32_t max_new_tokens,
                                const std::vector<TokenId>& stop_ids, int32_t vocab_size) {
  std::vector<TokenId> answer;
  while (static_cast<int32_t>(answer.size()) < max_new_tokens) {
    const TokenId id = FakeDraw(prompt, vocab_size);
    prompt.push_back(id);
    answer.push_back(id);
    if (std::find(stop_ids.begin(), stop_ids.end(), id) != stop_ids.end()) break;
  }
  return answer;
}

absl::StatusOr<StepResult> FakeWorker::Execute(const StepPlan& plan) {
  if (plan.step <= step_) {
    return FailedPrecondition("step {} comes after step {}", plan.step, step_);
  }
  step_ = plan.step;
  ATOLL_RETURN_IF_ERROR(Free(plan));
  ATOLL_RETURN_IF_ERROR(Start(plan));
  StepResult result{.epoch = plan.epoch, .step = plan.step, .rank = options_.rank};
  int32_t spares_used = 0;
  int32_t rows = 0;
  std::set<SeqId> seen;
  for (const SequenceWork& work : plan.work) {
    if (!seen.insert(work.seq).second) return FailedPrecondition("a sequence is planned twice");
    rows += work.num_rows;
    ATOLL_RETURN_IF_ERROR(Run(work, result, spares_used));
  }
  const auto rank = static_cast<size_t>(options_.rank);
  if (rank >= plan.rows_by_rank.size() || plan.rows_by_rank[rank] != rows) {
    return FailedPrecondition("rows_by_rank of step {} does not say {}", plan.step, rows);
  }
  return result;
}

absl::Status FakeWorker::Free(const StepPlan& plan) {
  for (const SeqId seq : plan.free) {
    const auto it = sequences_.find(seq);
    if (it == sequences_.end()) return FailedPrecondition("sequence {} is unknown", Value(seq));
    for (const BlockId block : it->second.blocks) blocks_.erase(block);
    slots_.erase(it->second.start.state_slot);
    sequences_.erase(it);
  }
  return absl::OkStatus();
}

absl::Status FakeWorker::Start(const StepPlan& plan) {
  for (const StartSequence& start : plan.start) {
    if (Value(start.state_slot) >= options_.state_slots) {
      return FailedPrecondition("slot {} does not exist", Value(start.state_slot));
    }
    if (!slots_.insert(start.state_slot).second) {
      return FailedPrecondition("slot {} is taken", Value(start.state_slot));
    }
    Sequence sequence;
    sequence.start = start;
    if (!sequences_.emplace(start.seq, std::move(sequence)).second) {
      return FailedPrecondition("sequence {} starts twice", Value(start.seq));
    }
  }
  return absl::OkStatus();
}

absl::Status FakeWorker::Run(const SequenceWork& work, StepResult& result, int32_t& spares_used) {
  const auto it = sequences_.find(work.seq);
  if (it == sequences_.end()) return FailedPrecondition("sequence {} is unknown", Value(work.seq));
  Sequence& sequence = it->second;
  ATOLL_RETURN_IF_ERROR(TakeBlocks(work, sequence));
  if (sequence.ended) return absl::OkStatus();  // it ended after this plan was sent
  if (work.begin != sequence.length) {
    return FailedPrecondition("sequence {} begins at {}, its length is {}", Value(work.seq),
                              work.begin, sequence.length);
  }
  const bool in_prompt = sequence.length < sequence.start.prompt_length;
  if (in_prompt != !work.ids.empty()) {
    return FailedPrecondition("sequence {} gets ids at {} of its prompt of {}", Value(work.seq),
                              work.begin, sequence.start.prompt_length);
  }
  sequence.tokens.insert(sequence.tokens.end(), work.ids.begin(), work.ids.end());
  if (work.begin > 0 && work.num_rows > options_.late_rows && ++spares_used > options_.spares) {
    return FailedPrecondition("step {} wants more than {} spares", result.step, options_.spares);
  }
  sequence.length += work.num_rows;
  if (static_cast<size_t>(sequence.length) > sequence.tokens.size()) {
    return FailedPrecondition("sequence {} runs a token that was not drawn", Value(work.seq));
  }
  result.stats.rows += static_cast<uint32_t>(work.num_rows);
  result.stats.moe_rows_local += static_cast<uint64_t>(work.num_rows);
  if (work.draw != (sequence.length >= sequence.start.prompt_length)) {
    return FailedPrecondition("sequence {} draws inside its prompt, or not after it",
                              Value(work.seq));
  }
  if (work.probe != Probe::kNone) {
    ProbeResult probe{.seq = work.seq, .begin = work.begin, .num_rows = work.num_rows};
    probe.digest = Value(work.seq) * 1000 + static_cast<uint64_t>(work.begin);
    if (work.probe == Probe::kLogits)
      probe.logits.resize(static_cast<size_t>(work.num_rows * options_.vocab_size));
    result.probes.push_back(std::move(probe));
  }
  SequenceResult report{.seq = work.seq, .length = sequence.length};
  if (work.draw) Draw(sequence, report);
  result.sequences.push_back(std::move(report));
  return absl::OkStatus();
}

absl::Status FakeWorker::TakeBlocks(const SequenceWork& work, Sequence& sequence) {
  for (const BlockId block : work.new_blocks) {
    if (Value(block) >= options_.kv_blocks) {
      return FailedPrecondition("block {} does not exist", Value(block));
    }
    if (!blocks_.insert(block).second) {
      return FailedPrecondition("block {} is taken", Value(block));
    }
    sequence.blocks.push_back(block);
  }
  const int64_t end = int64_t{work.begin} + work.num_rows;
  if (static_cast<int64_t>(sequence.blocks.size()) != (end + 63) / 64) {
    return FailedPrecondition("sequence {} has {} blocks for {} tokens", Value(work.seq),
                              sequence.blocks.size(), end);
  }
  return absl::OkStatus();
}

void FakeWorker::Draw(Sequence& sequence, SequenceResult& report) {
  const TokenId id = FakeDraw(sequence.tokens, options_.vocab_size);
  sequence.tokens.push_back(id);
  report.ids = {id};
  ++sequence.draws;
  const std::vector<TokenId>& stop_ids = sequence.start.stop_ids;
  if (std::find(stop_ids.begin(), stop_ids.end(), id) != stop_ids.end()) {
    report.finish = Finish::kStopId;
  } else if (sequence.draws == sequence.start.max_new_tokens) {
    report.finish = Finish::kMaxTokens;
  }
  sequence.ended = report.finish != Finish::kNone;
}

}  // namespace atl::testing
