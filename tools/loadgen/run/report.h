// What a run has shown: a table to read, JSON to keep.
#pragma once

#include <string>

#include "tools/loadgen/plan/load_options.h"
#include "tools/loadgen/run/load_run.h"
#include "tools/loadgen/run/statistics.h"

namespace atl::tools {

struct LoadReport {
  const LoadOptions& options;
  const LoadResult& result;
  LoadSummary summary;
};

LoadReport MakeReport(const LoadOptions& options, const LoadResult& result);

// The table, with a sentence for the first failures of each kind.
std::string TableOf(const LoadReport& report);
// An object of config, machine, counts, percentiles, the series of seconds and of the watched
// processes; with `with_samples` every request as well.
std::string JsonOf(const LoadReport& report);

// "AMD EPYC …, 2 CPUs allowed, Linux 6.1".
std::string MachineLine();

// kFailedPrecondition: a text or the protocol was wrong, or more than errors_max requests failed.
absl::Status Verdict(const LoadReport& report);

}  // namespace atl::tools
