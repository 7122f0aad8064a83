// What one client wants generated, in tokens: the front end makes it, the engine runs it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/step/sampling_params.h"
#include "common/step/step_plan.h"

namespace atl::coordinator {

struct Request {
  std::vector<TokenId> prompt{};    // not empty
  int32_t max_new_tokens = 0;       // at least 1
  std::vector<TokenId> stop_ids{};  // drawing one ends the request; it is reported like any token
  SamplingParams sampling{};        // its seed counts only after the engine has filled it in
  std::optional<uint64_t> seed{};   // nothing: the engine draws one
  int32_t top_logprobs = -1;        // told with each token, 0 … kTopLogprobsMax; -1: no logprobs
  bool prompt_logprobs = false;     // the same for the prompt's tokens from the second on
  int32_t priority = 0;             // lower is served first; vLLM's rule
  float rope_factor = 1.0f;
  int32_t vocab_limit = 0;     // ids from here on are never sampled; 0: all may be
  Probe probe = Probe::kNone;  // of every row that the request runs
};

// What a request may ask for at most. Tokens count prompt and max_new_tokens together.
struct RequestLimits {
  int32_t max_model_len = 0;  // of the model and its configuration
  int64_t tokens_max = 0;     // what the cache of the largest home holds
  int32_t vocab_size = 0;
};

// kInvalidArgument, in words for the client, when the request can never run under `limits`.
absl::Status CheckRequest(const Request& request, const RequestLimits& limits);

}  // namespace atl::coordinator
