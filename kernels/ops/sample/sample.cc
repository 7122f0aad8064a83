#include "kernels/ops/sample/sample.h"

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/status_macros.h"
#include "kernels/ops/sample/candidates.h"
#include "kernels/ops/sample/descending_sum.h"
#include "kernels/ops/sample/philox.h"
#include "kernels/ops/sample/sample_isa.h"

namespace atl::kernels {
namespace {

// Makes the arithmetic the same on whatever thread samples; gives the thread its modes back.
class DenormalsToZeroHere {
 public:
  DenormalsToZeroHere() : saved_(_mm_getcsr()) { SetDenormalsToZero(); }
  ~DenormalsToZeroHere() { _mm_setcsr(saved_); }
  DenormalsToZeroHere(const DenormalsToZeroHere&) = delete;
  DenormalsToZeroHere& operator=(const DenormalsToZeroHere&) = delete;

 private:
  unsigned saved_;
};

// Candidates in order, with weight e^((logit − largest) / temperature) and not yet normalised.
struct Filtered {
  std::vector<Ranked> ranked;
  std::vector<float> weights;
  float total = 0.0f;  // of the weights, added in order
};

// A weight below 2^-24 does not change a sum that starts with 1, so it cannot be sampled either.
constexpr float kNegligibleExponent = -16.7f;  // e^-16.7 < 2^-24 = e^-16.64
constexpr float kAll = -std::numeric_limits<float>::infinity();

absl::Status CheckParams(std::span<const float> logits, const SampleParams& params) {
  if (logits.empty() || logits.size() > size_t{std::numeric_limits<int32_t>::max()})
    return InvalidArgument("sampling: {} logits, expected one for each token", logits.size());
  if (!(params.temperature >= 0.0f) || std::isinf(params.temperature))
    return InvalidArgument("temperature is {}, it must be 0 (greedy) or a positive number",
                           params.temperature);
  if (params.top_k < 0)
    return InvalidArgument("top_k is {}, it must be 0 (off) or positive", params.top_k);
  if (!(params.top_p > 0.0f && params.top_p <= 1.0f))
    return InvalidArgument("top_p is {}, it must be above 0 and at most 1", params.top_p);
  if (!(params.min_p >= 0.0f && params.min_p <= 1.0f))
    return InvalidArgument("min_p is {}, it must be within 0 (off) to 1", params.min_p);
  return absl::OkStatus();
}

absl::StatusOr<LogitRange> RangeOf(const KernelContext& context, std::span<const float> logits) {
  LogitRange range;
  ATOLL_ON_ISA(context, RangeOfLogits(logits.data(), logits.size(), &range));
  if (range.has_nan) {
    const auto nan =
        std::find_if(logits.begin(), logits.end(), [](float x) { return std::isnan(x); });
    return DataLoss("the logit of token {} is not a number: the forward pass is broken",
                    nan - logits.begin());
  }
  if (range.largest == kAll)
    return InvalidArgument("all {} logits are -inf: no token is allowed", logits.size());
  return range;
}

// The first of the largest logits.
Ranked Largest(const KernelContext& context, std::span<const float> logits,
               const LogitRange& range) {
  size_t index = 0;
  ATOLL_ON_ISA(context, FirstEqual(logits.data(), logits.size(), range.largest, &index));
  return {range.largest, static_cast<int32_t>(index)};
}

// Keeps the smallest prefix whose weights reach top_p of the total, at least one.
void KeepTopP(float top_p, Filtered& filtered) {
  if (top_p >= 1.0f) return;
  const float wanted = top_p * filtered.total;
  float sum = 0.0f;
  size_t kept = 0;
  while (kept < filtered.weights.size()) {
    sum += filtered.weights[kept++];
    if (sum >= wanted) break;
  }
  filtered.ranked.resize(kept);
  filtered.weights.resize(kept);
  filtered.total = sum;
}

// The exponent below which no weight reaches min_p, with room for the rounding of both functions.
float LeastOfMinP(float min_p) { return min_p > 0.0f ? std::log(min_p) - 1e-3f : kAll; }

// Weights fall along the candidates, so what min_p keeps is a prefix.
void KeepMinP(float min_p, Filtered& filtered) {
  size_t kept = 0;
  while (kept < filtered.weights.size() && filtered.weights[kept] >= min_p) ++kept;
  filtered.ranked.resize(kept);
  filtered.weights.resize(kept);
}

// Filters; candidates whose exponent is below `least` are left out of the sort. min_p and top_k
// each keep a prefix of the same order, so the sooner of the two ends is the same whichever comes
// first.
Filtered Filter(const KernelContext& context, std::span<const float> logits,
                const SampleParams& params, const LogitRange& range, float least) {
  if (params.temperature == 0.0f) return {{Largest(context, logits, range)}, {1.0f}, 1.0f};
  Filtered result;
  result.ranked = SortedCandidates(context, logits,
                                   {.largest = range.largest,
                                    .temperature = params.temperature,
                                    .least = std::max(least, LeastOfMinP(params.min_p))},
                                   params.top_k);
  for (const Ranked& candidate : result.ranked) result.weights.push_back(candidate.logit);
  ATOLL_ON_ISA(context,
               WeightsOfLogits(result.weights.data(), result.weights.size(),
                               {range.largest, params.temperature}, result.weights.data()));
  KeepMinP(params.min_p, result);
  for (const float weight : result.weights) result.total += weight;
  KeepTopP(params.top_p, result);
  return result;
}

bool SamplesFromAll(std::span<const float> logits, const SampleParams& params,
                    const LogitRange& range) {
  return params.temperature > 0.0f && params.top_k == 0 && params.min_p == 0.0f &&
         DescendingSum::Fits(range, params.temperature) &&
         DescendingSum::WorkspaceBytes(logits.size()) <= KernelContext::kDefaultScratchBytes;
}

}  // namespace

absl::StatusOr<std::vector<Candidate>> FilterCandidates(const KernelContext& context,
                                                        std::span<const float> logits,
                                                        const SampleParams& params) {
  const DenormalsToZeroHere modes;
  ATOLL_RETURN_IF_ERROR(CheckParams(logits, params));
  ATOLL_ASSIGN_OR_RETURN(const LogitRange range, RangeOf(context, logits));
  const Filtered filtered = Filter(context, logits, params, range, kAll);
  std::vector<Candidate> candidates;
  candidates.reserve(filtered.ranked.size());
  for (size_t i = 0; i < filtered.ranked.size(); ++i)
    candidates.push_back({TokenId{filtered.ranked[i].id}, filtered.weights[i] / filtered.total});
  return candidates;
}

absl::StatusOr<TokenId> SampleToken(KernelContext& context, int thread_index,
                                    std::span<const float> logits, const SampleParams& params,
                                    int64_t position) {
  const DenormalsToZeroHere modes;
  ATOLL_RETURN_IF_ERROR(CheckParams(logits, params));
  ATOLL_ASSIGN_OR_RETURN(const LogitRange range, RangeOf(context, logits));
  const float uniform = PhiloxUniform(params.seed, position);
  if (SamplesFromAll(logits, params, range)) {
    const size_t workspace_bytes = DescendingSum::WorkspaceBytes(logits.size());
    DescendingSum sum(context, logits, range, params.temperature,
                      context.Scratch(thread_index, workspace_bytes));
    float total = sum.total();
    if (params.top_p < 1.0f) total = sum.FirstAtLeast(params.top_p * total);
    return sum.FirstAbove(uniform * total);
  }
  const Filtered filtered = Filter(context, logits, params, range, kNegligibleExponent);
  const float threshold = uniform * filtered.total;
  float sum = 0.0f;
  for (size_t i = 0; i < filtered.weights.size(); ++i) {
    sum += filtered.weights[i];
    if (sum > threshold) return TokenId{filtered.ranked[i].id};
  }
  return TokenId{filtered.ranked.back().id};  // unreachable: u < 1, so the whole sum is above
}

float PhiloxUniform(uint64_t seed, int64_t position) {
  const uint64_t counter = static_cast<uint64_t>(position);
  const std::array<uint32_t, 4> bits =
      Philox4x32({static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return static_cast<float>(bits[0] >> 8) * 0x1p-24f;
}

}  // namespace atl::kernels
