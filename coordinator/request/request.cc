#include "coordinator/request/request.h"

#include <cmath>

#include "common/base/status_macros.h"
#include "common/step/limits.h"

namespace atl::coordinator {
namespace {

absl::Status CheckIds(const char* what, const std::vector<TokenId>& ids, int32_t vocab_size) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (Value(ids[i]) < 0 || Value(ids[i]) >= vocab_size) {
      return InvalidArgument("{}: token id {} at position {} is outside the vocabulary of {}", what,
                             Value(ids[i]), i, vocab_size);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRange(const char* what, float value, float low, float high) {
  if (value >= low && value <= high) return absl::OkStatus();  // never true of NaN
  return InvalidArgument("{} is {}, give a number from {} to {}", what, value, low, high);
}

absl::Status CheckSampling(const SamplingParams& sampling, int32_t vocab_size) {
  if (!(sampling.temperature >= 0.0f && std::isfinite(sampling.temperature))) {
    return InvalidArgument("temperature is {}, give a number from 0", sampling.temperature);
  }
  if (!(sampling.top_p > 0.0f && sampling.top_p <= 1.0f)) {
    return InvalidArgument("top_p is {}, give a number above 0 and up to 1", sampling.top_p);
  }
  if (sampling.top_k < 0) {
    return InvalidArgument("top_k is {}, give 0 (off) or a positive number", sampling.top_k);
  }
  ATOLL_RETURN_IF_ERROR(CheckRange("min_p", sampling.min_p, 0, 1));
  ATOLL_RETURN_IF_ERROR(CheckRange("presence_penalty", sampling.presence_penalty, -2, 2));
  ATOLL_RETURN_IF_ERROR(CheckRange("frequency_penalty", sampling.frequency_penalty, -2, 2));
  if (!(sampling.repetition_penalty > 0.0f && std::isfinite(sampling.repetition_penalty))) {
    return InvalidArgument("repetition_penalty is {}, give a number above 0",
                           sampling.repetition_penalty);
  }
  if (sampling.min_tokens < 0) {
    return InvalidArgument("min_tokens is {}, give 0 or a positive number", sampling.min_tokens);
  }
  if (sampling.logit_bias.size() > kLogitBiasMax) {
    return InvalidArgument("logit_bias names {} tokens, at most {} are taken",
                           sampling.logit_bias.size(), kLogitBiasMax);
  }
  for (const LogitBias& bias : sampling.logit_bias) {
    if (Value(bias.id) < 0 || Value(bias.id) >= vocab_size) {
      return InvalidArgument("logit_bias: token id {} is outside the vocabulary of {}",
                             Value(bias.id), vocab_size);
    }
    ATOLL_RETURN_IF_ERROR(CheckRange("logit_bias", bias.bias, -100, 100));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRequest(const Request& request, const RequestLimits& limits) {
  if (request.prompt.empty())
    return InvalidArgument("the prompt is empty, give at least one token");
  if (request.max_new_tokens < 1) {
    return InvalidArgument("max_tokens is {}, give at least 1", request.max_new_tokens);
  }
  if (static_cast<int64_t>(request.stop_ids.size()) > kStopIdsMax) {
    return InvalidArgument("{} stop ids, at most {} are taken", request.stop_ids.size(),
                           kStopIdsMax);
  }
  const auto prompt_tokens = static_cast<int64_t>(request.prompt.size());
  const int64_t tokens = prompt_tokens + request.max_new_tokens;
  if (tokens > limits.max_model_len) {
    return InvalidArgument(
        "the prompt has {} tokens and max_tokens is {}, together {}; the model's maximum context "
        "length is {} tokens",
        prompt_tokens, request.max_new_tokens, tokens, limits.max_model_len);
  }
  if (tokens > limits.tokens_max) {
    return InvalidArgument(
        "the prompt has {} tokens and max_tokens is {}, together {}; the cache of one worker holds "
        "{} tokens",
        prompt_tokens, request.max_new_tokens, tokens, limits.tokens_max);
  }
  if (!(request.rope_factor >= 1.0f && request.rope_factor <= 64.0f)) {
    return InvalidArgument("the rope factor is {}, not within 1 to 64", request.rope_factor);
  }
  ATOLL_RETURN_IF_ERROR(CheckSampling(request.sampling, limits.vocab_size));
  if (request.sampling.min_tokens > request.max_new_tokens) {
    return InvalidArgument("min_tokens is {}, above max_tokens {}", request.sampling.min_tokens,
                           request.max_new_tokens);
  }
  if (request.top_logprobs < -1 || request.top_logprobs > kTopLogprobsMax) {
    return InvalidArgument("top_logprobs is {}, give 0 to {}", request.top_logprobs,
                           kTopLogprobsMax);
  }
  ATOLL_RETURN_IF_ERROR(CheckIds("prompt", request.prompt, limits.vocab_size));
  return CheckIds("stop ids", request.stop_ids, limits.vocab_size);
}

}  // namespace atl::coordinator
