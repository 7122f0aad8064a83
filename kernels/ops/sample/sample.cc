#include "kernels/ops/sample/sample.h"

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/status_macros.h"
#include "kernels/ops/sample/candidates.h"
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

// A weight below 2^-24 does not change a sum that starts with 1, so it cannot be drawn either.
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

// The first of the largest logits.
absl::StatusOr<Ranked> Largest(std::span<const float> logits) {
  Ranked largest{kAll, -1};
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i]))
      return DataLoss("the logit of token {} is not a number: the forward pass is broken", i);
    if (logits[i] > largest.logit) largest = {logits[i], static_cast<int32_t>(i)};
  }
  if (largest.id < 0)
    return InvalidArgument("all {} logits are -inf: no token is allowed", logits.size());
  return largest;
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
absl::StatusOr<Filtered> Filter(std::span<const float> logits, const SampleParams& params,
                                float least) {
  ATOLL_RETURN_IF_ERROR(CheckParams(logits, params));
  ATOLL_ASSIGN_OR_RETURN(const Ranked largest, Largest(logits));
  if (params.temperature == 0.0f) return Filtered{{largest}, {1.0f}, 1.0f};
  Filtered result;
  result.ranked = SortedCandidates(logits,
                                   {.largest = largest.logit,
                                    .temperature = params.temperature,
                                    .least = std::max(least, LeastOfMinP(params.min_p))},
                                   params.top_k);
  for (const Ranked& candidate : result.ranked)
    result.weights.push_back(Exponent(candidate.logit, largest.logit, params.temperature));
  ref::ExpInPlace(result.weights.data(), result.weights.size());
  KeepMinP(params.min_p, result);
  for (const float weight : result.weights) result.total += weight;
  KeepTopP(params.top_p, result);
  return result;
}

}  // namespace

absl::StatusOr<std::vector<Candidate>> FilterCandidates(std::span<const float> logits,
                                                        const SampleParams& params) {
  const DenormalsToZeroHere modes;
  ATOLL_ASSIGN_OR_RETURN(const Filtered filtered, Filter(logits, params, kAll));
  std::vector<Candidate> candidates;
  candidates.reserve(filtered.ranked.size());
  for (size_t i = 0; i < filtered.ranked.size(); ++i)
    candidates.push_back({TokenId{filtered.ranked[i].id}, filtered.weights[i] / filtered.total});
  return candidates;
}

absl::StatusOr<TokenId> SampleToken(std::span<const float> logits, const SampleParams& params,
                                    int64_t position) {
  const DenormalsToZeroHere modes;
  ATOLL_ASSIGN_OR_RETURN(const Filtered filtered, Filter(logits, params, kNegligibleExponent));
  const float threshold = PhiloxUniform(params.seed, position) * filtered.total;
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
