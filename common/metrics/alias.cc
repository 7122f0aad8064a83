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

MetricLabels LabelsOf(const MetricAlias& alias, const ClientMetric& metric) {
  MetricLabels labels = alias.labels;
  for (const auto& [source, name] : alias.keep) {
    const std::string value = LabelOf(metric, source);
    const auto renamed = alias.values.find(value);
    labels[name] = renamed == alias.values.end() ? value : renamed->second;
  }
  return labels;
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
  std::map<MetricLabels, ClientMetric> sums;
  for (const ClientMetric& metric : source->metric) {
    if (!Matches(metric, alias.only)) continue;
    AddTo(metric, sums[LabelsOf(alias, metric)]);
  }
  for (auto& [labels, sum] : sums) {
    for (const auto& [name, value] : labels) {
      ClientMetric::Label& label = sum.label.emplace_back();
      label.name = name;
      label.value = value;
    }
    copy.metric.push_back(std::move(sum));
  }
  return copy;
}

}  // namespace atl
