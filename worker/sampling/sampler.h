// Draws a sequence's next token from its logits: processors, then temperature and filters, then one
// number of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/step/step_plan.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/ops/sample/sample.h"
#include "worker/sampling/token_counts.h"

namespace atl::worker {

// A sequence at the moment of a sample.
struct SamplerInput {
  const StartSequence& start;
  int32_t num_sampled = 0;
  const TokenCounts* counts = nullptr;  // of all tokens before; set where a penalty is on
  // Index of the drawn token in its sequence: with the seed it alone decides the random number.
  int64_t position = 0;
};

struct SampledToken {
  TokenId id{};
  std::optional<TokenLogprobs> logprobs;  // where top_logprobs >= 0
};

// The logits that are candidates: `logits` V, without what vocab_limit calls padding.
std::span<float> CandidateLogits(const StartSequence& start, std::span<float> logits);

// `logits` V, changed in place. kDataLoss: a NaN among them; kInvalidArgument: none can be sampled
// (all −inf); only this sequence ends. On the thread of that index, whose scratch it uses.
absl::StatusOr<SampledToken> SampleNext(kernels::KernelContext& context, int thread_index,
                                        const SamplerInput& input, std::span<float> logits);

// The distribution that SampleNext samples from.
absl::StatusOr<std::vector<kernels::Candidate>> SamplerDistribution(
    const kernels::KernelContext& context, const SamplerInput& input, std::span<float> logits);

}  // namespace atl::worker
