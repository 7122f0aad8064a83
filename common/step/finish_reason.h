// How a sequence ended: one enum from the worker that ends it to the client that reads it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace atl {

// kStop: a stop id, or a stop string of the client. kLength: max_new_tokens. Up to kError these are
// the wire's numbers; a cancellation is the coordinator's own and no worker reports it.
enum class FinishReason : uint8_t { kNone, kStop, kLength, kError, kCancelled };

inline constexpr size_t kNumFinishReasons = 5;

// The word of answers, logs and metrics: "stop", "length", "error", "cancelled". Empty for kNone.
constexpr const char* FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      return "";
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kError:
      return "error";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "";
}

}  // namespace atl
