// A second name for series that are counted already, so that what reads another server's metrics
// reads ours. Nothing is counted twice: the page copies.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/metrics/registry.h"

namespace prometheus {
struct MetricFamily;
}  // namespace prometheus

namespace atl {

struct MetricAlias {
  std::string name;    // "vllm:num_requests_running"
  std::string source;  // the family that is counted
  std::string help;
  MetricLabels only = {};  // of the source, series with these labels
  // The source's labels that are kept, to their names here; series that differ in others alone
  // are added up.
  MetricLabels keep = {};
  MetricLabels values = {};  // values of kept labels that are called otherwise here
  MetricLabels labels = {};  // put on every series
};

// The alias as a family of `families`; without series where its source is absent.
prometheus::MetricFamily Copy(const MetricAlias& alias,
                              const std::vector<prometheus::MetricFamily>& families);

}  // namespace atl
