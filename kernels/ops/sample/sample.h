// Draws the next token of each row from its logits.
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
  uint64_t seed = 0;
};

struct Candidate {
  TokenId id;
  float probability;  // renormalised after filtering
};

// The distribution that Sample draws from: logits / temperature, top_k, softmax, top_p (smallest
// prefix whose sum reaches it), renormalised; in descending logit, ties to the lower id. Greedy:
// one candidate. `logits` V fp32. kInvalidArgument: a parameter outside its range. kDataLoss: a NaN
// among the logits.
absl::StatusOr<std::vector<Candidate>> FilterCandidates(std::span<const float> logits,
                                                        const SampleParams& params);

// The token at `position` (of the drawn token): first candidate whose cumulative fp32 sum exceeds u
// · total, u = Philox4x32-10(seed, position).
absl::StatusOr<TokenId> SampleToken(std::span<const float> logits, const SampleParams& params,
                                    int64_t position);

// A float in [0, 1) that depends on (seed, position) alone.
float PhiloxUniform(uint64_t seed, int64_t position);

}  // namespace atl::kernels
