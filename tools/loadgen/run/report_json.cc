#include <nlohmann/json.hpp>

#include "tools/loadgen/run/report.h"

namespace atl::tools {
namespace {

using Json = nlohmann::ordered_json;

Json NumberOrNull(double value) { return value >= 0 ? Json(value) : Json(nullptr); }

const char* NameOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      return "done";
    case Outcome::kCancelled:
      return "cancelled";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kDropped:
      return "dropped";
    case Outcome::kFailed:
      return "failed";
  }
  return "";
}

const char* NameOf(Reader reader) {
  switch (reader) {
    case Reader::kSteady:
      return "steady";
    case Reader::kCancels:
      return "cancels";
    case Reader::kSlow:
      return "slow";
  }
  return "";
}

Json CountsJson(const LoadReport& report) {
  const LoadSummary& summary = report.summary;
  return {{"window_s", summary.window_s},
          {"counted", summary.counted},
          {"done", summary.done},
          {"cancelled", summary.cancelled},
          {"refused", summary.refused},
          {"slow_dropped", summary.dropped},
          {"failed", summary.failed},
          {"warm_up", summary.uncounted},
          {"good", summary.good},
          {"good_per_s",
           summary.window_s > 0 ? static_cast<double>(summary.good) / summary.window_s : 0.0},
          {"prompt_tokens", summary.prompt_tokens},
          {"completion_tokens", summary.completion_tokens},
          {"errors", summary.errors}};
}

Json MetricsJson(const LoadSummary& summary) {
  Json metrics = Json::object();
  for (const Metric& metric : summary.metrics) {
    const Percentiles& p = metric.percentiles;
    if (p.count == 0) continue;
    metrics[metric.name] = {{"count", p.count}, {"mean", p.mean}, {"p50", p.p50},
                            {"p90", p.p90},     {"p95", p.p95},   {"p99", p.p99},
                            {"p99.9", p.p999},  {"max", p.max}};
  }
  return metrics;
}

Json SecondsJson(const LoadResult& result) {
  Json seconds = Json::array();
  for (const SecondSample& sample : result.seconds) {
    seconds.push_back({{"at_s", sample.at_s},
                       {"sent", sample.sent},
                       {"open", sample.open},
                       {"done", sample.done},
                       {"refused", sample.refused},
                       {"failed", sample.failed},
                       {"deltas_per_s", sample.deltas_per_s},
                       {"ttft_ms_p50", sample.ttft_ms_p50},
                       {"ttft_ms_p99", sample.ttft_ms_p99}});
  }
  return seconds;
}

Json ProcessesJson(const LoadReport& report) {
  Json processes = Json::array();
  for (const ProcessHistory& process : report.result.processes) {
    const ProcessTrend trend = TrendOf(process.samples, report.options.warmup_s);
    Json samples = Json::array();
    for (const ProcessUse& use : process.samples) {
      samples.push_back({{"at_s", use.at_s},
                         {"cpu_s", use.cpu_s},
                         {"rss_mb", use.rss_mb},
                         {"descriptors", use.descriptors},
                         {"threads", use.threads}});
    }
    processes.push_back({{"pid", process.pid},
                         {"name", process.name},
                         {"cores", trend.cores},
                         {"cores_max", trend.cores_max},
                         {"rss_mb_max", trend.rss_mb_max},
                         {"rss_mb_per_min", trend.rss_mb_per_min},
                         {"end", process.end},
                         {"samples", std::move(samples)}});
  }
  return processes;
}

Json RequestsJson(const LoadResult& result) {
  Json requests = Json::array();
  for (const RequestRecord& record : result.records) {
    requests.push_back({{"index", record.index},
                        {"reader", NameOf(record.reader)},
                        {"outcome", NameOf(record.outcome)},
                        {"status", record.status},
                        {"error_kind", record.error_kind},
                        {"error", record.error},
                        {"begin_s", record.begin_s},
                        {"lag_ms", NumberOrNull(record.lag_ms)},
                        {"connect_ms", NumberOrNull(record.connect_ms)},
                        {"first_byte_ms", NumberOrNull(record.first_byte_ms)},
                        {"ttft_ms", NumberOrNull(record.ttft_ms)},
                        {"end_ms", NumberOrNull(record.end_ms)},
                        {"retry_after_s", NumberOrNull(record.retry_after_s)},
                        {"prompt_tokens", record.prompt_tokens},
                        {"completion_tokens", record.completion_tokens},
                        {"deltas", record.num_deltas},
                        {"gaps_ms", record.gaps_ms}});
  }
  return requests;
}

}  // namespace

std::string JsonOf(const LoadReport& report) {
  Json json = {
      {"command", report.options.command},     {"url", report.options.endpoint.HostHeader()},
      {"model", report.result.model},          {"machine", MachineLine()},
      {"seed", report.options.seed},           {"sending_s", report.result.sending_s},
      {"total_s", report.result.total_s},      {"client_cores", report.result.client_cores},
      {"requests", CountsJson(report)},        {"metrics", MetricsJson(report.summary)},
      {"seconds", SecondsJson(report.result)}, {"processes", ProcessesJson(report)}};
  if (report.options.with_samples) json["samples"] = RequestsJson(report.result);
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace atl::tools
