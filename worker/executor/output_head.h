// OutputHead: from the rows of a forward pass to what is told of them: probes, log-probabilities of
// the prompt, sampled tokens. It changes no sequence.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/base/status.h"
#include "common/step/step_plan.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/buffer.h"
#include "worker/batch/batch_builder.h"
#include "worker/model/decoder.h"
#include "worker/sampling/sampler.h"

namespace atl::worker {

// What one entry of a batch gave. Not OK: its logits are broken, this sequence alone ends.
struct EntryOutcome {
  absl::Status status;
  std::optional<SampledToken> sampled;
  std::vector<TokenLogprobs> prompt_logprobs;
};

class OutputHead {
 public:
  // Both outlive the head.
  OutputHead(Decoder& decoder, kernels::KernelContext& context);

  // After a forward pass of `batch`. Errors of these calls are the step's.
  absl::StatusOr<std::vector<ProbeResult>> Probe(const BatchInput& batch);
  // One outcome for each entry. Counts of sequences with penalties hold this step's rows already.
  absl::StatusOr<std::vector<EntryOutcome>> Sample(const BatchInput& batch);

 private:
  // A row of the batch, for the entry that it is computed for.
  struct EntryRow {
    size_t entry = 0;
    int32_t row = 0;  // of the entry, from 0
  };
  // Computes the logits of `rows` some at a time and calls use(first, count) while those of
  // rows[first …] stand in the buffer.
  absl::Status ForLogits(const BatchInput& batch, std::span<const EntryRow> rows,
                         const std::function<void(size_t, size_t)>& use);
  std::span<float> LogitsRow(size_t index);
  absl::Status ScorePrompts(const BatchInput& batch, std::vector<EntryOutcome>& outcomes);
  absl::Status SampleTokens(const BatchInput& batch, std::vector<EntryOutcome>& outcomes);

  Decoder& decoder_;
  kernels::KernelContext& context_;
  size_t vocab_size_;
  kernels::Buffer logits_;
};

}  // namespace atl::worker
