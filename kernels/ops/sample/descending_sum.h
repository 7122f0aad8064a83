// DescendingSum: the fp32 sum of a row's weights, added in descending order of the logits, and who
// stands where in it, without sorting the row: logits go into buckets in order, and a bucket is
// sorted only where its inner order enters a bit. Only sample.cc includes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/ops/sample/sample_isa.h"

namespace atl::kernels {

class DescendingSum {
 public:
  static size_t WorkspaceBytes(size_t num_logits) { return 2 * num_logits * sizeof(float); }
  // Whether buckets have a width: not where a logit is +inf, or the logits or the temperature are
  // so large that a distance overflows.
  static bool Fits(const LogitRange& range, float temperature);

  // `logits` V without NaN, `workspace` and `context` outlive it; Fits holds. Weights that change
  // no sum are left out.
  DescendingSum(const KernelContext& context, std::span<const float> logits,
                const LogitRange& range, float temperature, std::byte* workspace);

  float total() const { return sums_.back(); }
  // The first sum that is at least `wanted`, at most the total.
  float FirstAtLeast(float wanted);
  // The token whose weight first brings the sum above `threshold`, below the total; ties in
  // ascending id.
  TokenId FirstAbove(float threshold);

 private:
  struct Point {
    size_t index;  // in sorted_
    float sum;     // with its weight
  };
  void FillBuckets(const LogitRange& range);
  void SortBucket(size_t bucket);
  float SumThroughBucket(size_t bucket, float sum);
  // The first token whose sum passes. One does.
  template <typename Passes>
  Point First(Passes passes);

  const KernelContext& context_;
  std::span<const float> logits_;
  Sharpness sharpness_;
  std::vector<uint32_t> begins_;  // of each bucket in the two below, and their end
  std::span<float> sorted_;       // logits by bucket; inside one in any order until it is sorted
  std::span<float> weights_;
  std::vector<float> sums_;  // through each bucket
};

}  // namespace atl::kernels
