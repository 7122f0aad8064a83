// Percentiles of all samples, and what a run adds up to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/loadgen/client/request_record.h"
#include "tools/loadgen/plan/load_options.h"

namespace atl::tools {

// By nearest rank: each is one of the samples.
struct Percentiles {
  size_t count = 0;  // 0: the others mean nothing
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p95 = 0;
  double p99 = 0;
  double p999 = 0;
  double max = 0;
};

// Sorts `samples`.
Percentiles PercentilesOf(std::vector<float>* samples);

struct Metric {
  std::string name;  // with its unit
  Percentiles percentiles;
  std::string histogram;  // one line; empty for no samples
};

struct LoadSummary {
  double window_s = 0;  // of the counted requests
  uint64_t counted = 0;
  uint64_t done = 0;
  uint64_t cancelled = 0;
  uint64_t refused = 0;
  uint64_t dropped = 0;  // slow readers
  uint64_t failed = 0;
  uint64_t uncounted = 0;                  // begun in the warm-up
  uint64_t good = 0;                       // done, and within the limits
  std::map<std::string, uint64_t> errors;  // by kind, those of the warm-up too
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  // Latencies of steady readers, and of those that cancel as far as they came; refusals apart.
  std::vector<Metric> metrics;
};

struct SummaryRules {
  double warmup_s = 0;
  double sending_s = 0;  // > 0: requests were begun for so long; 0: until the last had ended
  LatencyLimits limits = {};
};

LoadSummary Summarise(const std::vector<RequestRecord>& records, const SummaryRules& rules);

// `sorted` over buckets of equal ratio: "0.52 ▁▃█▅▂▁ 140".
std::string HistogramLine(const std::vector<float>& sorted);

}  // namespace atl::tools
