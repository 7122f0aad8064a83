#include "worker/sampling/sampler.h"

#include <algorithm>

#include "common/base/status_macros.h"
#include "worker/sampling/logits_processors.h"
#include "worker/sampling/logprobs.h"

namespace atl::worker {
namespace {

kernels::SampleParams FiltersOf(const SamplingParams& params) {
  return {.temperature = params.temperature,
          .top_k = params.top_k,
          .top_p = params.top_p,
          .min_p = params.min_p,
          .seed = params.seed};
}

ProcessorInput ProcessorsOf(const SamplerInput& input) {
  return {.params = input.start.sampling,
          .stop_ids = input.start.stop_ids,
          .num_sampled = input.num_sampled,
          .counts = input.counts};
}

}  // namespace

std::span<float> CandidateLogits(const StartSequence& start, std::span<float> logits) {
  if (start.vocab_limit <= 0) return logits;
  return logits.first(std::min(logits.size(), static_cast<size_t>(start.vocab_limit)));
}

absl::StatusOr<SampledToken> SampleNext(kernels::KernelContext& context, int thread_index,
                                        const SamplerInput& input, std::span<float> logits) {
  const std::span<float> candidates = CandidateLogits(input.start, logits);
  const ProcessorInput processors = ProcessorsOf(input);
  const bool reports_logprobs = input.start.top_logprobs >= 0;
  std::vector<float> copy;  // which token's log-probability is wanted is known only afterwards
  std::span<const float> raw = candidates;
  if (HasProcessors(processors)) {
    if (reports_logprobs) {
      copy.assign(candidates.begin(), candidates.end());
      raw = copy;
    }
    ProcessLogits(processors, candidates);
  }
  SampledToken sampled;
  ATOLL_ASSIGN_OR_RETURN(sampled.id,
                         kernels::SampleToken(context, thread_index, candidates,
                                              FiltersOf(input.start.sampling), input.position));
  if (reports_logprobs) {
    ATOLL_ASSIGN_OR_RETURN(sampled.logprobs,
                           RawLogprobs(context, raw, sampled.id, input.start.top_logprobs));
  }
  return sampled;
}

absl::StatusOr<std::vector<kernels::Candidate>> SamplerDistribution(
    const kernels::KernelContext& context, const SamplerInput& input, std::span<float> logits) {
  const std::span<float> candidates = CandidateLogits(input.start, logits);
  ProcessLogits(ProcessorsOf(input), candidates);
  return kernels::FilterCandidates(context, candidates, FiltersOf(input.start.sampling));
}

}  // namespace atl::worker
