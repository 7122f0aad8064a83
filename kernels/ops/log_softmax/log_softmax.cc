#include "kernels/ops/log_softmax/log_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/check.h"
#include "kernels/ops/log_softmax/log_softmax_isa.h"

namespace atl::kernels {
namespace {

// Few enough that rounding in a lane stays far below what fp32 shows of a logarithm.
constexpr size_t kBlockLogits = 4096;

}  // namespace

absl::StatusOr<LogSoftmax> NormalizeLogits(const KernelContext& context,
                                           std::span<const float> logits) {
  CHECK(DenormalsAreZero());
  if (logits.empty()) return InvalidArgument("log-probabilities: a row without logits");
  LogSoftmax result;
  ATOLL_ON_ISA(context, LargestLogit(logits.data(), logits.size(), &result.largest));
  double total = 0.0;
  for (size_t begin = 0; begin < logits.size(); begin += kBlockLogits) {
    const size_t count = std::min(kBlockLogits, logits.size() - begin);
    float sum = 0.0f;
    ATOLL_ON_ISA(context, SumExp(logits.data() + begin, count, result.largest, &sum));
    total += double{sum};
  }
  if (std::isnan(total)) {
    return DataLoss("log-probabilities: a logit is not a number: the forward pass is broken");
  }
  if (result.largest == -std::numeric_limits<float>::infinity()) {
    return InvalidArgument("log-probabilities: all {} logits are -inf", logits.size());
  }
  result.log_total = ref::LogOfTotal(static_cast<float>(total));
  return result;
}

}  // namespace atl::kernels
