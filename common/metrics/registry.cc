#include "common/metrics/registry.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "common/base/check.h"
#include "common/metrics/alias.h"

namespace atl {

void Counter::Add(double amount) { impl_->Increment(amount); }
void Gauge::Set(double value) { impl_->Set(value); }
void Histogram::Observe(double value) { impl_->Observe(value); }

struct Registry::Impl {
  // Merge: a family asked for twice is one family; one name as two kinds throws, which is our own
  // mistake and ends the process.
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  std::vector<MetricAlias> aliases;

  template <typename Builder>
  auto& Family(Builder builder, const MetricId& id) {
    CHECK(id.name.rfind("atoll_", 0) == 0, "metric {}", id.name);
    try {
      return builder.Name(id.name).Help(id.help).Register(registry);
    } catch (const std::exception& error) {
      CheckFailed(__FILE__, __LINE__, "a metric has one kind", id.name + ": " + error.what());
    }
  }
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter Registry::AddCounter(const MetricId& id) {
  return Counter(&impl_->Family(prometheus::BuildCounter(), id).Add(id.labels));
}

Gauge Registry::AddGauge(const MetricId& id) {
  return Gauge(&impl_->Family(prometheus::BuildGauge(), id).Add(id.labels));
}

Histogram Registry::AddHistogram(const MetricId& id, const std::vector<double>& bounds) {
  CHECK(std::is_sorted(bounds.begin(), bounds.end()), "metric {}", id.name);
  return Histogram(&impl_->Family(prometheus::BuildHistogram(), id)
                        .Add(id.labels, prometheus::Histogram::BucketBoundaries(bounds)));
}

void Registry::AddAlias(const MetricAlias& alias) { impl_->aliases.push_back(alias); }

std::string Registry::Render() const {
  std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
  std::vector<prometheus::MetricFamily> copies;
  for (const MetricAlias& alias : impl_->aliases) {
    prometheus::MetricFamily copy = Copy(alias, families);
    if (!copy.metric.empty()) copies.push_back(std::move(copy));
  }
  families.insert(families.end(), std::make_move_iterator(copies.begin()),
                  std::make_move_iterator(copies.end()));
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

std::vector<double> GeometricBounds(double first, double factor, int count) {
  CHECK(first > 0 && factor > 1 && count > 0);
  std::vector<double> bounds;
  for (double bound = first; static_cast<int>(bounds.size()) < count; bound *= factor) {
    bounds.push_back(bound);
  }
  return bounds;
}

}  // namespace atl
