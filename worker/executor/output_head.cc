#include "worker/executor/output_head.h"

#include <algorithm>
#include <utility>

#include "common/base/fnv.h"
#include "common/base/status_macros.h"
#include "worker/sampling/logprobs.h"

namespace atl::worker {
namespace {

// Rows of logits that are computed in one pass over the head: 64 MB at the real vocabulary, of
// which only what a step needs is touched. From some 16 rows on a pass is bound by arithmetic.
constexpr size_t kLogitRows = 64;

// The token that follows a row of a chunk, if it is one of the prompt's.
std::optional<TokenId> PromptTokenAfter(const BatchEntry& entry, int32_t row) {
  const SequenceWork& work = *entry.work;
  if (work.begin + row + 1 >= entry.sequence->start.prompt_length) return std::nullopt;
  const size_t next = static_cast<size_t>(row) + 1;
  const TokenId id = next < work.ids.size() ? work.ids[next] : work.next_id;
  if (Value(id) < 0) return std::nullopt;
  return id;
}

}  // namespace

OutputHead::OutputHead(Decoder& decoder, kernels::KernelContext& context)
    : decoder_(decoder),
      context_(context),
      vocab_size_(static_cast<size_t>(decoder.config().vocab_size)),
      logits_(kLogitRows * vocab_size_ * sizeof(float)) {}

std::span<float> OutputHead::LogitsRow(size_t index) {
  return {logits_.f32() + index * vocab_size_, vocab_size_};
}

absl::Status OutputHead::ForLogits(const BatchInput& batch, std::span<const EntryRow> rows,
                                   const std::function<void(size_t, size_t)>& use) {
  for (size_t first = 0; first < rows.size(); first += kLogitRows) {
    const size_t count = std::min(kLogitRows, rows.size() - first);
    std::vector<int32_t> batch_rows;
    batch_rows.reserve(count);
    for (const EntryRow& row : rows.subspan(first, count))
      batch_rows.push_back(batch.rows[row.entry].row_begin + row.row);
    ATOLL_RETURN_IF_ERROR(decoder_.Logits(
        context_, batch_rows,
        kernels::F32(logits_.f32(),
                     {static_cast<int64_t>(count), static_cast<int64_t>(vocab_size_)})));
    use(first, count);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ProbeResult>> OutputHead::Probe(const BatchInput& batch) {
  std::vector<ProbeResult> results;
  for (size_t i = 0; i < batch.entries.size(); ++i) {
    const SequenceWork& work = *batch.entries[i].work;
    if (work.probe == Probe::kNone) continue;
    std::vector<EntryRow> rows;
    rows.reserve(static_cast<size_t>(work.num_rows));
    for (int32_t row = 0; row < work.num_rows; ++row) rows.push_back({i, row});
    ProbeResult probe = {
        .seq = work.seq, .begin = work.begin, .num_rows = work.num_rows, .digest = kFnvBasis};
    ATOLL_RETURN_IF_ERROR(ForLogits(batch, rows, [&](size_t, size_t count) {
      const std::span<const float> logits = {logits_.f32(), count * vocab_size_};
      probe.digest =
          Fnv1a({reinterpret_cast<const char*>(logits.data()), logits.size_bytes()}, probe.digest);
      if (work.probe == Probe::kLogits)
        probe.logits.insert(probe.logits.end(), logits.begin(), logits.end());
    }));
    results.push_back(std::move(probe));
  }
  return results;
}

absl::StatusOr<std::vector<EntryOutcome>> OutputHead::Sample(const BatchInput& batch) {
  std::vector<EntryOutcome> outcomes(batch.entries.size());
  ATOLL_RETURN_IF_ERROR(ScorePrompts(batch, outcomes));
  ATOLL_RETURN_IF_ERROR(SampleTokens(batch, outcomes));
  return outcomes;
}

absl::Status OutputHead::ScorePrompts(const BatchInput& batch,
                                      std::vector<EntryOutcome>& outcomes) {
  std::vector<EntryRow> rows;
  for (size_t i = 0; i < batch.entries.size(); ++i) {
    const BatchEntry& entry = batch.entries[i];
    if (!entry.sequence->start.prompt_logprobs) continue;
    for (int32_t row = 0; row < entry.work->num_rows; ++row) {
      if (PromptTokenAfter(entry, row).has_value()) rows.push_back({i, row});
    }
  }
  std::vector<absl::StatusOr<TokenLogprobs>> scores(rows.size(), TokenLogprobs{});
  ATOLL_RETURN_IF_ERROR(ForLogits(batch, rows, [&](size_t first, size_t count) {
    context_.ParallelFor(static_cast<int>(count), [&](int task, int) {
      const size_t i = static_cast<size_t>(task);
      const EntryRow& row = rows[first + i];
      const BatchEntry& entry = batch.entries[row.entry];
      const StartSequence& start = entry.sequence->start;
      scores[first + i] = RawLogprobs(context_, CandidateLogits(start, LogitsRow(i)),
                                      *PromptTokenAfter(entry, row.row), start.top_logprobs);
    });
  }));
  for (size_t i = 0; i < rows.size(); ++i) {
    EntryOutcome& outcome = outcomes[rows[i].entry];
    outcome.status.Update(scores[i].status());
    if (scores[i].ok()) outcome.prompt_logprobs.push_back(*std::move(scores[i]));
  }
  return absl::OkStatus();
}

absl::Status OutputHead::SampleTokens(const BatchInput& batch,
                                      std::vector<EntryOutcome>& outcomes) {
  std::vector<EntryRow> rows;
  for (size_t i = 0; i < batch.entries.size(); ++i) {
    if (batch.entries[i].work->sample && outcomes[i].status.ok())
      rows.push_back({i, batch.rows[i].num_rows - 1});
  }
  return ForLogits(batch, rows, [&](size_t first, size_t count) {
    context_.ParallelFor(static_cast<int>(count), [&](int task, int thread) {
      const size_t i = static_cast<size_t>(task);
      const size_t entry_index = rows[first + i].entry;
      const BatchEntry& entry = batch.entries[entry_index];
      const HomeSequence& sequence = *entry.sequence;
      absl::StatusOr<SampledToken> sampled =
          SampleNext(context_, thread,
                     {.start = sequence.start,
                      .num_sampled = sequence.num_sampled,
                      .counts = sequence.counts.has_value() ? &*sequence.counts : nullptr,
                      .position = int64_t{entry.work->begin} + entry.work->num_rows},
                     LogitsRow(i));
      outcomes[entry_index].status = sampled.status();
      if (sampled.ok()) outcomes[entry_index].sampled = *std::move(sampled);
    });
  });
}

}  // namespace atl::worker
