// Sends what the plan says and gathers what came of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tools/loadgen/client/request_record.h"
#include "tools/loadgen/plan/load_plan.h"
#include "tools/loadgen/run/process_watch.h"

namespace atl::tools {

// The run as it was at one second. Counts are since the beginning.
struct SecondSample {
  double at_s = 0;
  uint64_t sent = 0;
  uint64_t open = 0;
  uint64_t done = 0;
  uint64_t refused = 0;
  uint64_t failed = 0;
  double deltas_per_s = 0;  // since the sample before, as the next two
  double ttft_ms_p50 = 0;   // 0: no first token came
  double ttft_ms_p99 = 0;
};

struct LoadResult {
  std::string model;
  std::vector<RequestRecord> records;  // in the order of their ends
  std::vector<SecondSample> seconds;
  std::vector<ProcessHistory> processes;
  double sending_s = 0;  // requests were begun for so long
  double total_s = 0;
  double client_cores = 0;  // mean use of this program
};

// One line of text for each sample.
std::string ProgressLine(const SecondSample& sample);

// Blocks until the load is over, or drained after SIGINT or SIGTERM; a line a second to standard
// error. kUnavailable: no server; kFailedPrecondition: it names no model, or a reference failed;
// kNotFound: a watched process is not there.
absl::StatusOr<LoadResult> RunLoad(LoadPlan plan);

}  // namespace atl::tools
