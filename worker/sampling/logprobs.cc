#include "worker/sampling/logprobs.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "common/base/status_macros.h"
#include "kernels/ops/log_softmax/log_softmax.h"

namespace atl::worker {
namespace {

// The `count` largest logits, descending, ties to the lower id.
std::vector<TokenLogprob> Largest(std::span<const float> logits, size_t count) {
  std::vector<TokenLogprob> top;
  const auto insert = [&](size_t i) {
    const auto after = std::find_if(top.begin(), top.end(), [&](const TokenLogprob& other) {
      return other.logprob < logits[i];
    });
    top.insert(after, {TokenId{static_cast<int32_t>(i)}, logits[i]});
  };
  size_t i = 0;
  for (; i < std::min(count, logits.size()); ++i) insert(i);
  if (top.empty()) return top;
  for (float least = top.back().logprob; i < logits.size(); ++i) {
    if (!(logits[i] > least)) continue;
    top.pop_back();
    insert(i);
    least = top.back().logprob;
  }
  return top;
}

// How many logits are above `own`.
int32_t CountAbove(std::span<const float> logits, std::span<const TokenLogprob> top, float own) {
  // Mostly the token is one of the likeliest, and then so are all above it.
  if (!top.empty() && own >= top.back().logprob) {
    return static_cast<int32_t>(std::count_if(
        top.begin(), top.end(), [own](const TokenLogprob& token) { return token.logprob > own; }));
  }
  return static_cast<int32_t>(
      std::count_if(logits.begin(), logits.end(), [own](float logit) { return logit > own; }));
}

}  // namespace

absl::StatusOr<TokenLogprobs> RawLogprobs(const kernels::KernelContext& context,
                                          std::span<const float> logits, TokenId id,
                                          int32_t num_top) {
  ATOLL_ASSIGN_OR_RETURN(const kernels::LogSoftmax softmax,
                         kernels::NormalizeLogits(context, logits));
  const size_t index = static_cast<size_t>(Value(id));
  const float own = index < logits.size() ? logits[index] : -std::numeric_limits<float>::infinity();
  TokenLogprobs result = {.logprob = softmax.Of(own),
                          .rank = 0,
                          .top = Largest(logits, static_cast<size_t>(std::max(num_top, 0)))};
  result.rank = CountAbove(logits, result.top, own) + 1;
  for (TokenLogprob& token : result.top) token.logprob = softmax.Of(token.logprob);
  return result;
}

}  // namespace atl::worker
