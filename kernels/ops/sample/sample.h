// Samples the next token of each row from its logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

struct SampleParams {
  float temperature = 1.0f;  // 0: greedy
  int32_t top_k = 0;         // 0: off
  float top_p = 1.0f;        // in (0, 1]; 1: off
  float min_p = 0.0f;        // in [0, 1]; 0: off
  uint64_t seed = 0;
};

struct Candidate {
  TokenId id;
  float probability;  // renormalised after filtering
};

// The distribution that SampleToken samples from: logits / temperature, min_p, top_k, softmax,
// top_p (smallest prefix whose sum reaches it), renormalised; in descending logit, ties to the
// lower id. min_p ends the candidates before the first whose weight e^((logit − largest) /
// temperature), in fp32, is below min_p: its probability as a share of the largest. Greedy: one
// candidate. `logits` V fp32; −inf is never sampled, those of +inf share all. kInvalidArgument: a
// parameter outside its range, or all logits are −inf. kDataLoss: a NaN among the logits.
absl::StatusOr<std::vector<Candidate>> FilterCandidates(const KernelContext& context,
                                                        std::span<const float> logits,
                                                        const SampleParams& params);

// The token at `position` (of the sampled token): first candidate whose cumulative fp32 sum exceeds
// u · total, u = Philox4x32-10(seed, position). On the thread of that index, whose scratch it uses.
absl::StatusOr<TokenId> SampleToken(KernelContext& context, int thread_index,
                                    std::span<const float> logits, const SampleParams& params,
                                    int64_t position);

// A float in [0, 1) that depends on (seed, position) alone.
float PhiloxUniform(uint64_t seed, int64_t position);

}  // namespace atl::kernels
