#include "tools/loadgen/run/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace atl::tools {
namespace {

double NearestRank(const std::vector<float>& sorted, double share) {
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

bool IsGood(const RequestRecord& record, const LatencyLimits& limits) {
  const auto within = [](double value, double limit) { return limit <= 0 || value <= limit; };
  const bool has_gap_above =
      limits.gap_ms > 0 && std::any_of(record.gaps_ms.begin(), record.gaps_ms.end(),
                                       [&](float gap) { return gap > limits.gap_ms; });
  return record.outcome == Outcome::kDone && within(record.ttft_ms, limits.ttft_ms) &&
         within(record.TpotMs(), limits.tpot_ms) && !has_gap_above;
}

// The samples of every metric, in the order of the report.
struct Samples {
  std::vector<float> lag, connect, first_byte, ttft, gap, tpot, end_to_end, refusal, retry_after;

  static void Add(double value, std::vector<float>* to) {
    if (value >= 0) to->push_back(static_cast<float>(value));
  }

  void Take(const RequestRecord& record) {
    Add(record.lag_ms, &lag);
    Add(record.connect_ms, &connect);
    if (record.outcome == Outcome::kRefused) {
      Add(record.end_ms, &refusal);
      Add(record.retry_after_s, &retry_after);
      return;
    }
    if (record.reader == Reader::kSlow) return;  // their own doing
    Add(record.first_byte_ms, &first_byte);
    Add(record.ttft_ms, &ttft);
    gap.insert(gap.end(), record.gaps_ms.begin(), record.gaps_ms.end());
    if (record.outcome != Outcome::kDone) return;
    Add(record.TpotMs(), &tpot);
    Add(record.end_ms, &end_to_end);
  }

  std::vector<Metric> Metrics() {
    const std::array<std::pair<const char*, std::vector<float>*>, 9> all = {
        {{"send lag ms", &lag},
         {"connect ms", &connect},
         {"first byte ms", &first_byte},
         {"ttft ms", &ttft},
         {"gap ms", &gap},
         {"tpot ms", &tpot},
         {"end to end ms", &end_to_end},
         {"refusal ms", &refusal},
         {"retry-after s", &retry_after}}};
    std::vector<Metric> metrics;
    for (const auto& [name, samples] : all) {
      const Percentiles percentiles = PercentilesOf(samples);
      metrics.push_back({name, percentiles, HistogramLine(*samples)});
    }
    return metrics;
  }
};

void Count(const RequestRecord& record, const LatencyLimits& limits, LoadSummary* summary) {
  ++summary->counted;
  summary->prompt_tokens += record.prompt_tokens;
  summary->completion_tokens += record.completion_tokens;
  summary->good += IsGood(record, limits) ? 1 : 0;
  switch (record.outcome) {
    case Outcome::kDone:
      ++summary->done;
      break;
    case Outcome::kCancelled:
      ++summary->cancelled;
      break;
    case Outcome::kRefused:
      ++summary->refused;
      break;
    case Outcome::kDropped:
      ++summary->dropped;
      break;
    case Outcome::kFailed:
      ++summary->failed;
      break;
  }
}

}  // namespace

Percentiles PercentilesOf(std::vector<float>* samples) {
  std::sort(samples->begin(), samples->end());
  if (samples->empty()) return {};
  return {.count = samples->size(),
          .mean = std::accumulate(samples->begin(), samples->end(), 0.0) /
                  static_cast<double>(samples->size()),
          .p50 = NearestRank(*samples, 0.5),
          .p90 = NearestRank(*samples, 0.9),
          .p95 = NearestRank(*samples, 0.95),
          .p99 = NearestRank(*samples, 0.99),
          .p999 = NearestRank(*samples, 0.999),
          .max = samples->back()};
}

LoadSummary Summarise(const std::vector<RequestRecord>& records, const SummaryRules& rules) {
  LoadSummary summary;
  Samples samples;
  double first_s = 0;
  double last_s = 0;
  for (const RequestRecord& record : records) {
    if (record.outcome == Outcome::kFailed) ++summary.errors[record.error_kind];
    if (record.begin_s < rules.warmup_s) {
      ++summary.uncounted;
      continue;
    }
    if (summary.counted == 0) first_s = record.begin_s;
    first_s = std::min(first_s, record.begin_s);
    last_s = std::max(last_s, record.begin_s + std::max(record.end_ms, 0.0) / 1000);
    Count(record, rules.limits, &summary);
    samples.Take(record);
  }
  summary.window_s = rules.sending_s > 0 ? rules.sending_s - rules.warmup_s : last_s - first_s;
  summary.metrics = samples.Metrics();
  return summary;
}

std::string HistogramLine(const std::vector<float>& sorted) {
  if (sorted.empty()) return {};
  constexpr size_t kBuckets = 32;
  constexpr std::array<const char*, 8> kBars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr double kLeast = 0.001;
  const double low = std::log(std::max<double>(sorted.front(), kLeast));
  const double high = std::log(std::max<double>(sorted.back(), kLeast));
  std::array<size_t, kBuckets> counts{};
  for (const float sample : sorted) {
    const double at =
        high > low ? (std::log(std::max<double>(sample, kLeast)) - low) / (high - low) : 0;
    ++counts[std::min(static_cast<size_t>(at * kBuckets), kBuckets - 1)];
  }
  const size_t most = *std::max_element(counts.begin(), counts.end());
  std::string line = fmt::format("{:.3g} ", sorted.front());
  for (const size_t count : counts) {
    // Rounded up, so that one sample shows.
    line += count == 0 ? " " : kBars[(count * kBars.size() + most - 1) / most - 1];
  }
  return line + fmt::format(" {:.3g}", sorted.back());
}

}  // namespace atl::tools
