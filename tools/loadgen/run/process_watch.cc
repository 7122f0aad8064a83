#include "tools/loadgen/run/process_watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "common/base/status_macros.h"

namespace atl::tools {
namespace {

constexpr double kMega = 1e6;
constexpr double kLeastIntervalS = 0.5;  // CPU time comes in ticks of 10 ms

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::StatusOr<ProcessUse> ReadUse(int pid) {
  const std::string folder = fmt::format("/proc/{}", pid);
  const std::string stat = TextOf(folder + "/stat");
  if (stat.empty()) return NotFound("process {} is not there", pid);
  ATOLL_ASSIGN_OR_RETURN(ProcessUse use, ParseProcessStat(stat));
  std::error_code error;
  for (std::filesystem::directory_iterator fd(folder + "/fd", error), end; !error && fd != end;
       fd.increment(error)) {
    ++use.descriptors;
  }
  if (error) {
    return NotFound("the descriptors of process {} cannot be read: {}", pid, error.message());
  }
  return use;
}

}  // namespace

absl::StatusOr<ProcessUse> ParseProcessStat(std::string_view text) {
  // The name stands in brackets and may hold anything; numbers follow its last bracket.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return DataLoss("/proc/PID/stat has no name in brackets");
  std::istringstream fields{std::string(text.substr(name_end + 1))};
  std::string state;
  fields >> state;
  std::array<int64_t, 24> values{};  // of the fields from ppid, the fourth
  for (size_t i = 4; i <= values.size(); ++i) fields >> values[i - 1];
  if (!fields) return DataLoss("/proc/PID/stat has fewer than 24 fields");
  const auto field = [&](size_t number) { return static_cast<double>(values[number - 1]); };
  ProcessUse use;
  use.cpu_s = (field(14) + field(15)) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  use.threads = values[19];
  use.rss_mb = field(24) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / kMega;
  return use;
}

ProcessWatch::ProcessWatch(const std::vector<int>& pids) {
  for (const int pid : pids) histories_.push_back({.pid = pid});
}

absl::Status ProcessWatch::Begin() {
  for (ProcessHistory& history : histories_) {
    ATOLL_ASSIGN_OR_RETURN(const ProcessUse use, ReadUse(history.pid));
    history.samples.push_back(use);
    history.name = TextOf(fmt::format("/proc/{}/comm", history.pid));
    while (history.name.ends_with('\n')) history.name.pop_back();
  }
  return absl::OkStatus();
}

void ProcessWatch::Sample(double at_s) {
  for (ProcessHistory& history : histories_) {
    if (!history.end.empty()) continue;
    auto use = ReadUse(history.pid);
    if (!use.ok()) {
      history.end = fmt::format("{} after {:.0f} s", MessageOf(use.status()), at_s);
      continue;
    }
    use->at_s = at_s;
    history.samples.push_back(*use);
  }
}

ProcessTrend TrendOf(const std::vector<ProcessUse>& samples, double from_s) {
  auto first = std::find_if(samples.begin(), samples.end(),
                            [&](const ProcessUse& use) { return use.at_s >= from_s; });
  if (first == samples.end()) first = samples.begin();
  if (first == samples.end()) return {};
  ProcessTrend trend{.first = *first, .last = samples.back()};
  const double mean_at = (first->at_s + samples.back().at_s) / 2;
  double covariance = 0;
  double variance = 0;
  for (auto use = first; use != samples.end(); ++use) {
    trend.rss_mb_max = std::max(trend.rss_mb_max, use->rss_mb);
    covariance += (use->at_s - mean_at) * (use->rss_mb - first->rss_mb);
    variance += (use->at_s - mean_at) * (use->at_s - mean_at);
    const auto before = use == first ? use : std::prev(use);
    if (use->at_s - before->at_s >= kLeastIntervalS) {
      const double cores = (use->cpu_s - before->cpu_s) / (use->at_s - before->at_s);
      trend.cores_max = std::max(trend.cores_max, cores);
    }
  }
  const double seconds = trend.last.at_s - trend.first.at_s;
  if (seconds > 0) trend.cores = (trend.last.cpu_s - trend.first.cpu_s) / seconds;
  if (variance > 0) trend.rss_mb_per_min = 60 * covariance / variance;
  return trend;
}

}  // namespace atl::tools
