// What one client wants generated, in tokens: the front end makes it, the engine runs it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace atl {

// temperature 0: greedy. top_k 0 and top_p 1: off. Without a seed the engine draws one.
struct Sampling {
  float temperature = 1.0f;
  int32_t top_k = 0;
  float top_p = 1.0f;
  std::optional<uint64_t> seed{};
};

// What is told of the logits of every row that the request runs.
enum class ProbeRows : uint8_t { kNone, kDigest, kLogits };

struct Request {
  std::vector<TokenId> prompt{};    // not empty
  int32_t max_new_tokens = 0;       // at least 1
  std::vector<TokenId> stop_ids{};  // drawing one ends the request; it is reported like any token
  Sampling sampling{};
  float rope_factor = 1.0f;
  int32_t vocab_limit = 0;  // ids from here on are never drawn; 0: all may be
  ProbeRows probe = ProbeRows::kNone;
};

// Why a request ended. kStop: one of its stop_ids. kLength: max_new_tokens.
enum class FinishReason : uint8_t { kStop, kLength, kCancelled, kError };

// What a request may ask for at most. Tokens count prompt and max_new_tokens together.
struct RequestLimits {
  int32_t max_model_len = 0;  // of the model and its configuration
  int64_t tokens_max = 0;     // what the cache of the largest home holds
  int32_t vocab_size = 0;
};

// kInvalidArgument, in words for the client, when the request can never run under `limits`.
absl::Status CheckRequest(const Request& request, const RequestLimits& limits);

}  // namespace atl
