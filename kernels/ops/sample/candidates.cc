#include "kernels/ops/sample/candidates.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/ops/sample/sample_isa.h"

namespace atl::kernels {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();
// Up to here a top_k is found by selection in one pass over the logits.
constexpr size_t kSelectedMax = 1024;
// Below this std::sort is quicker than three passes with their histograms.
constexpr size_t kRadixMin = 1024;
constexpr int kDigitBits = 11;
constexpr int kDigits = 3;
constexpr size_t kBuckets = size_t{1} << kDigitBits;

// Descending logit, ties to the lower id.
bool Before(const Ranked& a, const Ranked& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

bool Reaches(float logit, const Reach& reach) {
  return logit != kForbidden && Exponent(logit, reach.largest, reach.temperature) >= reach.least;
}

// Calls use(index) for every logit above `bound` in ascending index. `bound` may rise meanwhile;
// some that it has passed may still come.
template <typename Use>
void ForEachAbove(const KernelContext& context, std::span<const float> logits, const float& bound,
                  Use use) {
  AboveList list;
  for (size_t begin = 0; begin < logits.size(); begin = list.end) {
    ATOLL_ON_ISA(context, ListAbove(logits.data(), logits.size(), begin, bound, &list));
    for (size_t i = 0; i < list.num_listed; ++i) use(list.indices[i]);
  }
}

// The `count` first tokens, in any order, found in one pass: twice as many are kept at most, and
// what is not above the last of the first `count` so far is not looked at again.
std::vector<Ranked> SelectFirst(const KernelContext& context, std::span<const float> logits,
                                size_t count) {
  std::vector<Ranked> kept;
  kept.reserve(2 * count);
  float bound = kForbidden;
  const auto shrink = [&] {
    const auto last = kept.begin() + static_cast<std::ptrdiff_t>(count) - 1;
    std::nth_element(kept.begin(), last, kept.end(), Before);
    bound = last->logit;
    kept.resize(count);
  };
  ForEachAbove(context, logits, bound, [&](int32_t id) {
    const float logit = logits[static_cast<size_t>(id)];
    // An equal logit comes after the bound's: ids ascend.
    if (!(logit > bound)) return;
    kept.push_back({logit, id});
    if (kept.size() == 2 * count) shrink();
  });
  if (kept.size() > count) shrink();
  return kept;
}

// The tokens that reach, in ascending id.
std::vector<Ranked> AllThatReach(const KernelContext& context, std::span<const float> logits,
                                 const Reach& reach) {
  // Spares most tokens the division: a logit up to the cut is also below after rounding. There is
  // none beside +inf.
  const float span = reach.least * reach.temperature;
  const float slack = 1e-6f * (std::abs(reach.largest) + std::abs(span));
  const float cut = reach.largest + span - slack - std::numeric_limits<float>::min();
  std::vector<Ranked> ranked;
  ForEachAbove(context, logits, std::isnan(cut) ? kForbidden : cut, [&](int32_t id) {
    const float logit = logits[static_cast<size_t>(id)];
    if (Reaches(logit, reach)) ranked.push_back({logit, id});
  });
  return ranked;
}

// A number that ascends as the logit descends; both zeros have one, and denormals are zeros.
uint32_t KeyOf(float logit) {
  const uint32_t bits = std::bit_cast<uint32_t>(logit + 0.0f);
  return (bits & 0x80000000u) != 0 ? bits : ~bits & 0x7fffffffu;
}

size_t DigitOf(const Ranked& token, int digit) {
  return (KeyOf(token.logit) >> (digit * kDigitBits)) & (kBuckets - 1);
}

// Sorts tokens that stand in ascending id. Each pass is stable, so ties keep that order.
void SortByRadix(std::vector<Ranked>& tokens) {
  std::array<std::array<uint32_t, kBuckets>, kDigits> begins{};
  for (const Ranked& token : tokens) {
    for (int digit = 0; digit < kDigits; ++digit)
      ++begins[static_cast<size_t>(digit)][DigitOf(token, digit)];
  }
  std::vector<Ranked> sorted(tokens.size());
  for (int digit = 0; digit < kDigits; ++digit) {
    auto& begin = begins[static_cast<size_t>(digit)];
    uint32_t next = 0;
    for (uint32_t& bucket : begin) next += std::exchange(bucket, next);
    for (const Ranked& token : tokens) sorted[begin[DigitOf(token, digit)]++] = token;
    tokens.swap(sorted);
  }
}

}  // namespace

std::vector<Ranked> SortedCandidates(const KernelContext& context, std::span<const float> logits,
                                     const Reach& reach, int32_t top_k) {
  const size_t most = top_k > 0 ? static_cast<size_t>(top_k) : logits.size();
  std::vector<Ranked> tokens;
  if (most <= kSelectedMax) {
    tokens = SelectFirst(context, logits, most);
    std::erase_if(tokens, [&](const Ranked& token) { return !Reaches(token.logit, reach); });
  } else {
    tokens = AllThatReach(context, logits, reach);
  }
  if (most > kSelectedMax && tokens.size() >= kRadixMin) {
    SortByRadix(tokens);
  } else {
    std::sort(tokens.begin(), tokens.end(), Before);
  }
  tokens.resize(std::min(tokens.size(), most));
  return tokens;
}

}  // namespace atl::kernels
