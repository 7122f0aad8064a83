#include "worker/sampling/sampler.h"

#include "kernels/ops/sample/sample.h"

namespace atl {

absl::StatusOr<TokenId> DrawToken(std::span<const float> logits, const SamplingParams& params,
                                  int64_t position) {
  return kernels::SampleToken(logits,
                              {.temperature = params.temperature,
                               .top_k = params.top_k,
                               .top_p = params.top_p,
                               .seed = params.seed},
                              position);
}

}  // namespace atl
