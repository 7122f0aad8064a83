// What was seen of one request.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/loadgen/plan/load_plan.h"

namespace atl::tools {

enum class Outcome {
  kDone,
  kCancelled,  // by us, as planned
  kRefused,    // 429 or 503
  kDropped,    // a slow reader whose connection the server ended
  kFailed,
};

struct RequestRecord {
  static constexpr double kNever = -1;

  uint64_t index = 0;
  Reader reader = Reader::kSteady;
  Outcome outcome = Outcome::kFailed;
  int status = 0;               // of HTTP; 0: none came
  std::string error_kind = {};  // kFailed: connection, timeout, protocol, stream, text, http_4xx …
  std::string error = {};       // its sentence

  double begin_s = 0;             // since the run began
  double lag_ms = kNever;         // begun later than planned (open loop)
  double connect_ms = kNever;     // kNever: a connection that was open already
  double first_byte_ms = kNever;  // of the answer; this and what follows since begin_s
  double ttft_ms = kNever;        // first delta with text
  double end_ms = kNever;
  double retry_after_s = kNever;
  int64_t prompt_tokens = 0;      // of the usage
  int64_t completion_tokens = 0;  // the same; where none came, the deltas seen
  int64_t num_deltas = 0;
  std::vector<float> gaps_ms = {};  // between deltas

  // Time per output token after the first; kNever where there is no second.
  double TpotMs() const {
    const bool has_two = ttft_ms >= 0 && end_ms >= ttft_ms && completion_tokens > 1;
    return has_two ? (end_ms - ttft_ms) / static_cast<double>(completion_tokens - 1) : kNever;
  }
};

}  // namespace atl::tools
