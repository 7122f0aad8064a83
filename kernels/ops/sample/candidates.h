// Which tokens can be sampled, in order; only sample.cc includes it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/dispatch/kernel_context.h"

namespace atl::kernels {

struct Ranked {
  float logit;
  int32_t id;
};

// What a candidate must reach: e^((logit − largest) / temperature), its exponent at least `least`.
struct Reach {
  float largest;
  float temperature;
  float least;
};

// (logit − largest) / temperature; 0 for the largest itself, also where it is +inf.
inline float Exponent(float logit, float largest, float temperature) {
  return logit == largest ? 0.0f : (logit - largest) / temperature;
}

// The tokens that reach, the first top_k of them where top_k > 0; in descending logit, ties to the
// lower id; never one of −inf. No logit is NaN. Selects where top_k is small, else sorts by radix.
std::vector<Ranked> SortedCandidates(const KernelContext& context, std::span<const float> logits,
                                     const Reach& reach, int32_t top_k);

}  // namespace atl::kernels
