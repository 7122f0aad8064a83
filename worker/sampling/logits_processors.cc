#include "worker/sampling/logits_processors.h"

#include <limits>

#include "common/base/check.h"

namespace atl::worker {
namespace {

bool IsMasking(const ProcessorInput& input) {
  return input.num_sampled < input.params.min_tokens && !input.stop_ids.empty();
}

void MaskStopIds(std::span<const TokenId> stop_ids, std::span<float> logits) {
  for (const TokenId id : stop_ids) {
    const size_t i = static_cast<size_t>(Value(id));
    if (i < logits.size()) logits[i] = -std::numeric_limits<float>::infinity();
  }
}

void AddBias(std::span<const LogitBias> biases, std::span<float> logits) {
  for (const LogitBias& bias : biases) {
    const size_t i = static_cast<size_t>(Value(bias.id));
    if (i < logits.size()) logits[i] += bias.bias;
  }
}

void Penalise(const SamplingParams& params, const TokenCounts& counts, std::span<float> logits) {
  const float repetition = params.repetition_penalty;
  for (const auto& [id, times] : counts.in_answer()) {
    const size_t i = static_cast<size_t>(Value(id));
    if (i >= logits.size()) continue;
    float& logit = logits[i];
    if (repetition != 1.0f) logit = logit > 0.0f ? logit / repetition : logit * repetition;
    if (times == 0) continue;  // of the prompt alone
    logit -= params.frequency_penalty * static_cast<float>(times);
    logit -= params.presence_penalty;
  }
}

}  // namespace

bool HasProcessors(const ProcessorInput& input) {
  return IsMasking(input) || !input.params.logit_bias.empty() || NeedsTokenCounts(input.params);
}

void ProcessLogits(const ProcessorInput& input, std::span<float> logits) {
  if (IsMasking(input)) MaskStopIds(input.stop_ids, logits);
  AddBias(input.params.logit_bias, logits);
  if (!NeedsTokenCounts(input.params)) return;
  CHECK(input.counts != nullptr, "a penalty is on and nothing was counted");
  Penalise(input.params, *input.counts, logits);
}

}  // namespace atl::worker
