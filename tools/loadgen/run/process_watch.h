// What other processes of this machine use, sampled from /proc.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace atl::tools {

struct ProcessUse {
  double at_s = 0;    // since the run began
  double cpu_s = 0;   // used since the process began
  double rss_mb = 0;  // of 1e6 bytes
  int64_t descriptors = 0;
  int64_t threads = 0;
};

struct ProcessHistory {
  int pid = 0;
  std::string name;
  std::vector<ProcessUse> samples;
  std::string end = {};  // why there are no more, where it ended
};

// cpu_s and threads out of the text of /proc/PID/stat. kDataLoss: another form.
absl::StatusOr<ProcessUse> ParseProcessStat(std::string_view text);

class ProcessWatch {
 public:
  explicit ProcessWatch(const std::vector<int>& pids);

  // kNotFound: one of them is not there, or not readable.
  absl::Status Begin();
  // A process that has ended gets no more samples.
  void Sample(double at_s);
  const std::vector<ProcessHistory>& histories() const { return histories_; }

 private:
  std::vector<ProcessHistory> histories_;
};

// From the first sample at or after `from_s` to the last.
struct ProcessTrend {
  double cores = 0;      // mean
  double cores_max = 0;  // of the intervals of half a second and more
  ProcessUse first;
  ProcessUse last;
  double rss_mb_max = 0;
  double rss_mb_per_min = 0;  // slope of the least squares
};
ProcessTrend TrendOf(const std::vector<ProcessUse>& samples, double from_s);

}  // namespace atl::tools
