// The one door to the metrics library: counters, gauges and histograms in Prometheus' text format.
//
//   Registry registry;
//   Counter steps = registry.AddCounter({"atoll_steps_total", "Steps executed."});
//   steps.Add();
//   const std::string page = registry.Render();
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace atl {

// Handles: copied freely, valid as long as the registry. **Threads**: any.
class Counter {
 public:
  Counter() = default;  // of no series yet, not to be used
  explicit Counter(prometheus::Counter* impl) : impl_(impl) {}
  void Add(double amount = 1);  // a negative amount is ignored: a counter only grows

 private:
  prometheus::Counter* impl_ = nullptr;
};

class Gauge {
 public:
  Gauge() = default;  // of no series yet, not to be used
  explicit Gauge(prometheus::Gauge* impl) : impl_(impl) {}
  void Set(double value);

 private:
  prometheus::Gauge* impl_ = nullptr;
};

class Histogram {
 public:
  Histogram() = default;  // of no series yet, not to be used
  explicit Histogram(prometheus::Histogram* impl) : impl_(impl) {}
  void Observe(double value);  // a value equal to a bound belongs to that bound's bucket

 private:
  prometheus::Histogram* impl_ = nullptr;
};

using MetricLabels = std::map<std::string, std::string>;

// A series of a family. The name is `atoll_<noun>_<unit>[_total]`, help one sentence; labels
// come from closed sets (never a user's text), because a series lives as long as the registry.
struct MetricId {
  std::string name;
  std::string help;
  MetricLabels labels = {};
};

struct MetricAlias;

// Adding the same series twice gives the same series; one name as two kinds is a CHECK.
class Registry {
 public:
  Registry();
  ~Registry();

  Counter AddCounter(const MetricId& id);
  Gauge AddGauge(const MetricId& id);
  // `bounds` ascend; +Inf is added.
  Histogram AddHistogram(const MetricId& id, const std::vector<double>& bounds);

  // Shows a family under another name as well (alias.h). Before the page is first rendered.
  void AddAlias(const MetricAlias& alias);

  // The page that Prometheus scrapes: text format 0.0.4.
  std::string Render() const;
  static const char* ContentType() { return "text/plain; version=0.0.4; charset=utf-8"; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Bounds from `first` on, each `factor` times the last.
std::vector<double> GeometricBounds(double first, double factor, int count);

}  // namespace atl
