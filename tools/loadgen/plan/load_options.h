// What load is asked for: the flags of `atoll-bench serve`, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tools/loadgen/plan/http_endpoint.h"
#include "tools/loadgen/plan/length_distribution.h"

namespace atl::tools {

enum class ApiKind { kChat, kCompletions };

// What a request must meet to count as good; 0: no limit.
struct LatencyLimits {
  double ttft_ms = 0;
  double gap_ms = 0;   // every one of its gaps
  double tpot_ms = 0;  // time per output token after the first
};

struct LoadOptions {
  HttpEndpoint endpoint;
  ApiKind api = ApiKind::kChat;
  std::string model = {};                 // empty: the first of /v1/models
  std::vector<std::string> headers = {};  // "Name: value"

  int concurrency = 1;        // clients of a closed loop, each with one request at a time
  double rate = 0;            // requests a second of Poisson arrivals; 0: closed loop
  uint64_t num_requests = 0;  // 0: until duration_s
  double duration_s = 0;      // 0: until num_requests
  double warmup_s = 0;        // requests begun within are not counted
  double drain_s = 60;        // for what is open when the last request has been sent
  double time_limit_s = 600;  // of a request
  int open_max = 10'000;      // requests at once in an open loop
  uint64_t seed = 0;

  LengthDistribution prompt_tokens;
  LengthDistribution answer_tokens;
  std::string prompts_file = {};  // instead of generated ones
  uint64_t num_prompts = 0;       // distinct generated prompts; 0: every request has its own
  int64_t shared_prefix_tokens = 0;
  uint64_t num_prefixes = 1;
  double cancel_share = 0;  // of requests, closed after some of their tokens
  double slow_share = 0;    // of requests, read slowly
  int slow_bytes_per_s = 200;
  bool ignore_eos = false;
  std::optional<double> temperature = 0.0;
  std::string extra_fields = {};  // members of the body, as JSON without braces

  LatencyLimits limits;
  bool check_text = false;       // equal prompts have equal answers
  bool reference_first = false;  // each prompt is asked once alone beforehand
  uint64_t errors_max = 0;
  std::vector<int> watched_pids = {};
  std::string json_file = {};
  bool with_samples = false;
  std::vector<std::string> command = {};  // as given, for the report
};

// kCancelled: help or version was asked for, the message is the text; kInvalidArgument,
// kUnimplemented: one sentence on the flag at fault.
absl::StatusOr<LoadOptions> ParseBenchFlags(int argc, const char* const* argv);

}  // namespace atl::tools
