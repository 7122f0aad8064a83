#include "coordinator/request/request.h"

#include <cmath>

namespace atl {
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

absl::Status CheckSampling(const Sampling& sampling) {
  if (!(sampling.temperature >= 0.0f && std::isfinite(sampling.temperature))) {
    return InvalidArgument("temperature is {}, give a number from 0", sampling.temperature);
  }
  if (!(sampling.top_p > 0.0f && sampling.top_p <= 1.0f)) {
    return InvalidArgument("top_p is {}, give a number above 0 and up to 1", sampling.top_p);
  }
  if (sampling.top_k < 0) {
    return InvalidArgument("top_k is {}, give 0 (off) or a positive number", sampling.top_k);
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
  constexpr size_t kStopIdsMax = 1024;
  if (request.stop_ids.size() > kStopIdsMax) {
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
  if (absl::Status status = CheckSampling(request.sampling); !status.ok()) return status;
  if (absl::Status status = CheckIds("prompt", request.prompt, limits.vocab_size); !status.ok()) {
    return status;
  }
  return CheckIds("stop ids", request.stop_ids, limits.vocab_size);
}

}  // namespace atl
