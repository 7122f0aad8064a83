#include "common/metrics/alias.h"

#include <prometheus/metric_family.h>

#include <algorithm>

namespace atl {
namespace {

using prometheus::ClientMetric;

std::string LabelOf(const ClientMetric& metric, const std::string& name) {
  for (const ClientMetric::Label& label : metric.label) {
    if (label.name == name) return label.value;
  }
  return "";
}

bool Matches(const ClientMetric& metric, const MetricLabels& only) {
  return std::all_of(only.begin(), only.end(), [&](const auto& wanted) {
    return LabelOf(metric, wanted.first) == wanted.second;
  });
}

// Series of one family have the same bounds.
void AddTo(const ClientMetric& metric, ClientMetric& sum) {
  sum.counter.value += metric.counter.value;
  sum.gauge.value += metric.gauge.value;
  sum.histogram.sample_count += metric.histogram.sample_count;
  sum.histogram.sample_sum += metric.histogram.sample_sum;
  sum.histogram.bucket.resize(metric.histogram.bucket.size());
  for (size_t i = 0; i < metric.histogram.bucket.size(); ++i) {
    sum.histogram.bucket[i].upper_bound = metric.histogram.bucket[i].upper_bound;
    sum.histogram.bucket[i].cumulative_count += metric.histogram.bucket[i].cumulative_count;
  }
}

std::vector<ClientMetric::Label> LabelsOf(const MetricAlias& alias, const std::string& kept) {
  MetricLabels labels = alias.labels;
  if (!alias.keep.empty()) {
    const auto renamed = alias.values.find(kept);
    labels[alias.keep_as] = renamed == alias.values.end() ? kept : renamed->second;
  }
  std::vector<ClientMetric::Label> list;
  for (const auto& [name, value] : labels) {
    ClientMetric::Label& label = list.emplace_back();
    label.name = name;
    label.value = value;
  }
  return list;
}

}  // namespace

prometheus::MetricFamily Copy(const MetricAlias& alias,
                              const std::vector<prometheus::MetricFamily>& families) {
  prometheus::MetricFamily copy;
  copy.name = alias.name;
  copy.help = alias.help;
  const auto source =
      std::find_if(families.begin(), families.end(),
                   [&](const prometheus::MetricFamily& each) { return each.name == alias.source; });
  if (source == families.end()) return copy;
  copy.type = source->type;
  std::map<std::string, ClientMetric> sums;  // by the kept label's value
  for (const ClientMetric& metric : source->metric) {
    if (!Matches(metric, alias.only)) continue;
    AddTo(metric, sums[alias.keep.empty() ? "" : LabelOf(metric, alias.keep)]);
  }
  for (auto& [kept, sum] : sums) {
    sum.label = LabelsOf(alias, kept);
    copy.metric.push_back(std::move(sum));
  }
  return copy;
}

}  // namespace atl
