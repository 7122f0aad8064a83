#include "tools/loadgen/run/report.h"

#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string_view>

#include "common/concurrency/machine_limits.h"

namespace atl::tools {
namespace {

constexpr int kShownOfKind = 3;
constexpr double kLeastWindowS = 1e-9;

uint64_t NumErrors(const LoadSummary& summary, const std::string& kind) {
  const auto found = summary.errors.find(kind);
  return found == summary.errors.end() ? 0 : found->second;
}

std::string CountLines(const LoadReport& report) {
  const LoadSummary& summary = report.summary;
  const double window_s = std::max(summary.window_s, kLeastWindowS);
  std::string text = fmt::format(
      "requests   {} counted in {:.1f} s: {} done, {} cancelled, {} refused, {} slow and dropped, "
      "{} failed; {} in the warm-up\n",
      summary.counted, summary.window_s, summary.done, summary.cancelled, summary.refused,
      summary.dropped, summary.failed, summary.uncounted);
  text +=
      fmt::format("rate       {:.2f} requests/s done, {:.0f} tokens/s out, {:.0f} tokens/s in\n",
                  static_cast<double>(summary.done) / window_s,
                  static_cast<double>(summary.completion_tokens) / window_s,
                  static_cast<double>(summary.prompt_tokens) / window_s);
  text += fmt::format("goodput    {:.2f} requests/s ({} within the limits)\n",
                      static_cast<double>(summary.good) / window_s, summary.good);
  text += fmt::format("client     {:.3f} cores\n", report.result.client_cores);
  return text;
}

std::string MetricLines(const LoadSummary& summary) {
  std::string text = fmt::format("{:<14}{:>9}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "", "count",
                                 "p50", "p90", "p95", "p99", "p99.9", "max");
  for (const Metric& metric : summary.metrics) {
    const Percentiles& p = metric.percentiles;
    if (p.count == 0) continue;
    text += fmt::format("{:<14}{:>9}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}\n",
                        metric.name, p.count, p.p50, p.p90, p.p95, p.p99, p.p999, p.max);
  }
  for (const Metric& metric : summary.metrics) {
    const bool is_spread = metric.percentiles.max > metric.percentiles.p50;
    if (is_spread) text += fmt::format("{:<14} {}\n", metric.name, metric.histogram);
  }
  return text;
}

std::string ProcessLines(const LoadReport& report) {
  std::string text;
  for (const ProcessHistory& process : report.result.processes) {
    const ProcessTrend trend = TrendOf(process.samples, report.options.warmup_s);
    text += fmt::format(
        "process    {} {}: {:.3f} cores (most {:.2f}), RSS {:.1f} -> {:.1f} MB (most {:.1f}, "
        "{:+.2f} MB/min), descriptors {} -> {}, threads {} -> {}\n",
        process.pid, process.name, trend.cores, trend.cores_max, trend.first.rss_mb,
        trend.last.rss_mb, trend.rss_mb_max, trend.rss_mb_per_min, trend.first.descriptors,
        trend.last.descriptors, trend.first.threads, trend.last.threads);
    if (!process.end.empty()) text += fmt::format("           {}\n", process.end);
  }
  return text;
}

std::string ErrorLines(const LoadReport& report) {
  std::string text;
  std::map<std::string, int> shown;
  for (const auto& [kind, count] : report.summary.errors) {
    text += fmt::format("errors     {}: {}\n", kind, count);
  }
  for (const RequestRecord& record : report.result.records) {
    if (record.outcome != Outcome::kFailed || ++shown[record.error_kind] > kShownOfKind) continue;
    text += fmt::format("  {} (request {}): {}\n", record.error_kind, record.index, record.error);
  }
  return text;
}

}  // namespace

LoadReport MakeReport(const LoadOptions& options, const LoadResult& result) {
  return {.options = options,
          .result = result,
          .summary =
              Summarise(result.records, {.warmup_s = options.warmup_s,
                                         .sending_s = options.duration_s > 0 ? result.sending_s : 0,
                                         .limits = options.limits})};
}

std::string MachineLine() {
  std::string cpu = "unknown CPU";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (!line.starts_with("model name")) continue;
    cpu = line.substr(std::min(line.find(": ") + 2, line.size()));
    break;
  }
  utsname system{};
  ::uname(&system);
  return fmt::format("{}, {} CPUs allowed, {} {}", cpu, CpusAllowed(), system.sysname,
                     system.release);
}

std::string TableOf(const LoadReport& report) {
  return fmt::format("model      {} at {}\nmachine    {}\n", report.result.model,
                     report.options.endpoint.HostHeader(), MachineLine()) +
         CountLines(report) + MetricLines(report.summary) + ProcessLines(report) +
         ErrorLines(report);
}

absl::Status Verdict(const LoadReport& report) {
  uint64_t failed = 0;
  for (const auto& [kind, count] : report.summary.errors) failed += count;
  const uint64_t texts = NumErrors(report.summary, "text");
  const uint64_t protocol = NumErrors(report.summary, "protocol");
  if (texts + protocol == 0 && failed <= report.options.errors_max) return absl::OkStatus();
  return FailedPrecondition(
      "{} answers with the wrong text, {} against the protocol, {} failed in all (--max-errors {})",
      texts, protocol, failed, report.options.errors_max);
}

}  // namespace atl::tools
