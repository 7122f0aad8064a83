// What changes logits before a token is sampled from them, in vLLM's order.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/ids.h"
#include "common/step/sampling_params.h"
#include "worker/sampling/token_counts.h"

namespace atl::worker {

// What the processors need to know of a sequence.
struct ProcessorInput {
  const SamplingParams& params;
  std::span<const TokenId> stop_ids;
  int32_t num_sampled = 0;              // tokens of the answer so far
  const TokenCounts* counts = nullptr;  // set where a penalty is on
};

// Whether ProcessLogits would change anything.
bool HasProcessors(const ProcessorInput& input);

// In this order, in fp32, one rounding an operation:
//   stop ids become −inf until min_tokens are sampled; logit_bias is added;
//   repetition penalty r: tokens of prompt or answer, logit / r above 0, logit · r elsewhere;
//   frequency and presence penalty: tokens of the answer, logit − f · times, then − p.
// `logits` are the candidates (V or fewer); ids beyond them are passed over.
void ProcessLogits(const ProcessorInput& input, std::span<float> logits);

}  // namespace atl::worker
