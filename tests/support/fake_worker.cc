#include "tests/support/fake_worker.h"

#include <algorithm>

#include "common/base/status_macros.h"

namespace atl::testing {
namespace {

constexpr uint64_t kHashStart = 0xcbf29ce484222325;

uint64_t HashWith(uint64_t hash, TokenId id) {
  return (hash ^ static_cast<uint64_t>(Value(id))) * 0x100000001b3;
}

TokenId SampleOf(uint64_t hash, int32_t vocab_size) {
  return TokenId{static_cast<int32_t>((hash >> 20) % static_cast<uint64_t>(vocab_size))};
}

uint64_t HashOf(const std::vector<TokenId>& tokens) {
  uint64_t hash = kHashStart;
  for (const TokenId id : tokens) hash = HashWith(hash, id);
  return hash;
}

bool Contains(const std::vector<TokenId>& ids, TokenId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

TokenId FakeSample(const std::vector<TokenId>& tokens, int32_t vocab_size) {
  return SampleOf(HashOf(tokens), vocab_size);
}

std::vector<TokenId> FakeAnswer(const std::vector<TokenId>& prompt, int32_t max_new_tokens,
                                const std::vector<TokenId>& stop_ids, int32_t vocab_size) {
  uint64_t hash = HashOf(prompt);
  std::vector<TokenId> answer;
  while (static_cast<int32_t>(answer.size()) < max_new_tokens) {
    answer.push_back(SampleOf(hash, vocab_size));
    hash = HashWith(hash, answer.back());
    if (Contains(stop_ids, answer.back())) break;
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
    if (start.num_sampled < 0 || start.num_sampled >= start.max_new_tokens) {
      return FailedPrecondition("sequence {} starts with {} of {} samples", Value(start.seq),
                                start.num_sampled, start.max_new_tokens);
    }
    Sequence sequence{.start = start, .hash = kHashStart, .samples = start.num_sampled};
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
  ATOLL_RETURN_IF_ERROR(CheckWork(work, sequence));
  SequenceResult report{.seq = work.seq};
  if (work.ids.empty()) {
    const auto rows = static_cast<uint64_t>(work.num_rows);
    const auto samples = static_cast<int32_t>(1 + (sequence.hash >> 40) % rows);
    Sample(sequence, samples, report);
    sequence.length += static_cast<int32_t>(report.ids.size());
  } else {
    if (work.begin > 0 && work.num_rows > options_.late_rows && ++spares_used > options_.spares) {
      return FailedPrecondition("step {} wants more than {} spares", result.step, options_.spares);
    }
    ATOLL_RETURN_IF_ERROR(TakeDelta(work, sequence));
    const int32_t last = std::min(sequence.length, sequence.start.prompt_length - 1);
    for (int32_t i = work.begin + 1; i <= last && sequence.start.prompt_logprobs; ++i) {
      report.prompt_logprobs.push_back({.logprob = static_cast<float>(-i)});
    }
    if (work.sample) Sample(sequence, 1, report);
  }
  report.length = sequence.length;
  result.stats.rows += static_cast<uint32_t>(work.num_rows);
  result.stats.moe_rows_local += static_cast<uint64_t>(work.num_rows);
  ReportProbe(work, result);
  result.sequences.push_back(std::move(report));
  return absl::OkStatus();
}

absl::Status FakeWorker::CheckWork(const SequenceWork& work, const Sequence& sequence) const {
  if (work.begin != sequence.length) {
    return FailedPrecondition("sequence {} begins at {}, its length is {}", Value(work.seq),
                              work.begin, sequence.length);
  }
  const int32_t known = sequence.known_length();
  if ((sequence.length < known) != !work.ids.empty()) {
    return FailedPrecondition("sequence {} gets ids at {} of its {} known tokens", Value(work.seq),
                              work.begin, known);
  }
  if (!work.ids.empty() && static_cast<int32_t>(work.ids.size()) != work.num_rows) {
    return FailedPrecondition("sequence {} gets {} ids for {} rows", Value(work.seq),
                              work.ids.size(), work.num_rows);
  }
  const int32_t rows_max =
      std::min(options_.tokens_per_step, sequence.start.max_new_tokens - sequence.samples);
  if (work.num_rows < 1 || (work.ids.empty() && work.num_rows > rows_max)) {
    return FailedPrecondition("sequence {} gets {} rows, may sample {}", Value(work.seq),
                              work.num_rows, rows_max);
  }
  const int32_t end = work.begin + work.num_rows;
  if (work.sample != (end >= known) || (!work.ids.empty() && end > known)) {
    return FailedPrecondition("sequence {} samples inside its known tokens, or not after them",
                              Value(work.seq));
  }
  const bool next_due = sequence.start.prompt_logprobs && end < sequence.start.prompt_length;
  if (next_due != (work.next_id != TokenId{-1})) {
    return FailedPrecondition("sequence {} is told of the next token {} at {}", Value(work.seq),
                              Value(work.next_id), end);
  }
  return absl::OkStatus();
}

absl::Status FakeWorker::TakeDelta(const SequenceWork& work, Sequence& sequence) {
  if (sequence.next_id != TokenId{-1} && sequence.next_id != work.ids.front()) {
    return FailedPrecondition("sequence {} goes on with {}, told was {}", Value(work.seq),
                              Value(work.ids.front()), Value(sequence.next_id));
  }
  for (const TokenId id : work.ids) {
    const bool sampled = sequence.tokens >= sequence.start.prompt_length;
    if (sampled && id != SampleOf(sequence.hash, options_.vocab_size)) {
      return FailedPrecondition("sequence {} never sampled {} at {}", Value(work.seq), Value(id),
                                sequence.tokens);
    }
    sequence.hash = HashWith(sequence.hash, id);
    ++sequence.tokens;
  }
  sequence.length += work.num_rows;
  sequence.next_id = work.next_id;
  return absl::OkStatus();
}

void FakeWorker::ReportProbe(const SequenceWork& work, StepResult& result) const {
  if (work.probe == Probe::kNone) return;
  ProbeResult probe{.seq = work.seq, .begin = work.begin, .num_rows = work.num_rows};
  probe.digest = Value(work.seq) * 1000 + static_cast<uint64_t>(work.begin);
  if (work.probe == Probe::kLogits) {
    probe.logits.resize(static_cast<size_t>(work.num_rows * options_.vocab_size));
  }
  result.probes.push_back(std::move(probe));
}

absl::Status FakeWorker::TakeBlocks(const SequenceWork& work, Sequence& sequence) {
  for (const BlockId block : work.new_blocks) {
    if (Value(block) < 0 || Value(block) >= options_.kv_blocks) {
      return FailedPrecondition("block {} does not exist", Value(block));
    }
    if (!blocks_.insert(block).second) {
      return FailedPrecondition("block {} is taken", Value(block));
    }
    sequence.blocks.push_back(block);
  }
  // Rows that sampled nothing leave their blocks to the next step.
  const int64_t needed = (int64_t{work.begin} + work.num_rows + 63) / 64;
  const auto held = static_cast<int64_t>(sequence.blocks.size());
  if (held < needed || (held > needed && !work.new_blocks.empty())) {
    return FailedPrecondition("sequence {} has {} blocks for {} tokens", Value(work.seq), held,
                              work.begin + work.num_rows);
  }
  return absl::OkStatus();
}

void FakeWorker::Sample(Sequence& sequence, int32_t samples, SequenceResult& report) {
  while (samples-- > 0 && !sequence.ended) {
    const TokenId id = SampleOf(sequence.hash, options_.vocab_size);
    sequence.hash = HashWith(sequence.hash, id);
    ++sequence.tokens;
    report.ids.push_back(id);
    if (sequence.start.top_logprobs >= 0) report.logprobs.push_back({.logprob = -1, .rank = 1});
    ++sequence.samples;
    if (Contains(sequence.start.stop_ids, id)) {
      report.finish = FinishReason::kStop;
    } else if (sequence.samples == sequence.start.max_new_tokens) {
      report.finish = FinishReason::kLength;
    }
    sequence.ended = report.finish != FinishReason::kNone;
  }
}

}  // namespace atl::testing
