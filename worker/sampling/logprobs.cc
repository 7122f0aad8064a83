#include "worker/sampling/logprobs.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "common/base/status_macros.h"
#include "kernels/ops/log_softmax/log_softmax.h"

namespace atl {
namespace {

// The `count` largest logits, descending, ties to the lower id.
std::vector<TokenLogprob> Largest(std::span<const float> logits, size_t count) {
  std::vector<TokenLogprob> top;
  if (count == 0) return top;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (top.size() == count && !(logits[i] > top.back().logprob)) continue;
    if (top.size() == count) top.pop_back();
    const auto after = std::find_if(top.begin(), top.end(), [&](const TokenLogprob& other) {
      return other.logprob < logits[i];
    });
    top.insert(after, {TokenId{static_cast<int32_t>(i)}, logits[i]});
  }
  return top;
}

}  // namespace

absl::StatusOr<TokenLogprobs> RawLogprobs(const kernels::KernelContext& context,
                                          std::span<const float> logits, TokenId id,
                                          int32_t num_top) {
  ATOLL_ASSIGN_OR_RETURN(const kernels::LogSoftmax softmax,
                         kernels::NormalizeLogits(context, logits));
  const size_t index = static_cast<size_t>(Value(id));
  const float own = index < logits.size() ? logits[index] : -std::numeric_limits<float>::infinity();
  const auto above =
      std::count_if(logits.begin(), logits.end(), [own](float logit) { return logit > own; });
  TokenLogprobs result = {.logprob = softmax.Of(own),
                          .rank = static_cast<int32_t>(above) + 1,
                          .top = Largest(logits, static_cast<size_t>(std::max(num_top, 0)))};
  for (TokenLogprob& token : result.top) token.logprob = softmax.Of(token.logprob);
  return result;
}

}  // namespace atl
