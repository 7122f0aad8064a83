#include "kernels/ops/sample/descending_sum.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace atl::kernels {
namespace {

// More make sorting rare, fewer keep the places that are written to in the cache.
constexpr size_t kBuckets = 2048;
// Weights beyond this exponent, with room for rounding, are below 2^-24 and change no sum from 1
// on.
constexpr float kReach = 17.0f;

// Ascends as the logit descends.
size_t BucketOf(float logit, float largest, float scale) {
  return static_cast<size_t>(static_cast<int32_t>((largest - logit) * scale));
}

}  // namespace

bool DescendingSum::Fits(const LogitRange& range, float temperature) {
  return std::isfinite(range.largest - range.least) && std::isfinite(kReach * temperature);
}

DescendingSum::DescendingSum(const KernelContext& context, std::span<const float> logits,
                             const LogitRange& range, float temperature, std::byte* workspace)
    : context_(context),
      logits_(logits),
      sharpness_{range.largest, temperature},
      sorted_(reinterpret_cast<float*>(workspace), logits.size()),
      weights_(sorted_.data() + logits.size(), logits.size()) {
  FillBuckets(range);
  float sum = 0.0f;
  sums_.reserve(kBuckets);
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    sum = SumThroughBucket(bucket, sum);
    sums_.push_back(sum);
  }
}

void DescendingSum::FillBuckets(const LogitRange& range) {
  const float largest = range.largest;
  const float bound = std::max(largest - kReach * sharpness_.temperature, range.least);
  // In a narrower span than this the buckets are not all used.
  constexpr float kLeastSpan = 1e-6f;
  const float scale = static_cast<float>(kBuckets - 1) / std::max(largest - bound, kLeastSpan);
  size_t num_kept = 0;
  // The weights' place holds the logits until these stand in their buckets.
  ATOLL_ON_ISA(context_,
               KeepFrom(logits_.data(), logits_.size(), bound, weights_.data(), &num_kept));
  sorted_ = sorted_.first(num_kept);
  weights_ = weights_.first(num_kept);
  std::vector<uint32_t> next(kBuckets);
  for (const float logit : weights_) ++next[BucketOf(logit, largest, scale)];
  begins_.reserve(kBuckets + 1);
  uint32_t begin = 0;
  for (uint32_t& place : next) {
    begins_.push_back(begin);
    begin += std::exchange(place, begin);
  }
  begins_.push_back(begin);
  for (const float logit : weights_) sorted_[next[BucketOf(logit, largest, scale)]++] = logit;
  ATOLL_ON_ISA(context_, WeightsOfLogits(sorted_.data(), num_kept, sharpness_, weights_.data()));
}

void DescendingSum::SortBucket(size_t bucket) {
  const uint32_t begin = begins_[bucket], end = begins_[bucket + 1];
  std::sort(sorted_.begin() + begin, sorted_.begin() + end, std::greater<float>());
  ATOLL_ON_ISA(context_, WeightsOfLogits(sorted_.data() + begin, end - begin, sharpness_,
                                         weights_.data() + begin));
}

float DescendingSum::SumThroughBucket(size_t bucket, float sum) {
  const uint32_t begin = begins_[bucket], end = begins_[bucket + 1];
  if (begin == end) return sum;
  if (sum >= 1.0f) {
    UnorderedSum result;
    ATOLL_ON_ISA(context_, AddInAnyOrder(weights_.data() + begin, end - begin, sum, &result));
    if (result.is_exact) return result.sum;
  }
  SortBucket(bucket);
  for (uint32_t i = begin; i < end; ++i) sum += weights_[i];
  return sum;
}

template <typename Passes>
DescendingSum::Point DescendingSum::First(Passes passes) {
  const auto found = std::find_if(sums_.begin(), sums_.end(), passes);
  const size_t bucket = static_cast<size_t>(found - sums_.begin());
  SortBucket(bucket);
  float sum = bucket == 0 ? 0.0f : sums_[bucket - 1];
  size_t index = begins_[bucket];
  while (!passes(sum += weights_[index])) ++index;
  return {.index = index, .sum = sum};
}

float DescendingSum::FirstAtLeast(float wanted) {
  return First([wanted](float sum) { return sum >= wanted; }).sum;
}

TokenId DescendingSum::FirstAbove(float threshold) {
  const size_t index = First([threshold](float sum) { return sum > threshold; }).index;
  const float logit = sorted_[index];
  // Equal logits share a bucket, and there they stand for their tokens in ascending id.
  size_t first = index;
  while (first > 0 && sorted_[first - 1] == logit) --first;
  size_t id = 0;
  for (size_t passed = first;; ++passed, ++id) {
    size_t distance = 0;
    ATOLL_ON_ISA(context_, FirstEqual(logits_.data() + id, logits_.size() - id, logit, &distance));
    id += distance;
    if (passed == index) return TokenId{static_cast<int32_t>(id)};
  }
}

}  // namespace atl::kernels
