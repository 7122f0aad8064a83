// The logarithm of the softmax of one row of logits: what a client is told of a token.
#pragma once

#include <span>

#include "common/base/status.h"
#include "kernels/dispatch/kernel_context.h"

namespace atl::kernels {

// ln(softmax) of a logit of the row that these two numbers were taken from.
struct LogSoftmax {
  float largest = 0.0f;
  float log_total = 0.0f;  // ln Σ e^(logit − largest)

  float Of(float logit) const { return (logit == largest ? 0.0f : logit - largest) - log_total; }
};

// `logits` V fp32. Blocks of 4,096 are summed by the 16-lane tree, blocks added in ascending order
// in double: the same bits on every ISA. Logits of +inf share all of the probability. kDataLoss: a
// NaN among them; kInvalidArgument: none, or all are −inf.
absl::StatusOr<LogSoftmax> NormalizeLogits(const KernelContext& context,
                                           std::span<const float> logits);

}  // namespace atl::kernels
