#include "bench/step/op_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace atl::bench {
namespace {

// What has weights and is not the head (LinearArgs::name, and the experts).
const std::set<std::string>& BodyProducts() {
  static const std::set<std::string> names = {"attention_qkv", "attention_out", "delta_in",
                                              "delta_out",     "router",        "shared_expert",
                                              "experts",       "linear"};
  return names;
}

}  // namespace

void OpProfile::OnOp(const kernels::OpCost& cost, std::chrono::nanoseconds time) {
  Sum& sum = ops_[cost.name];
  ++sum.calls;
  sum.bytes += cost.bytes;
  sum.flops += cost.flops;
  sum.seconds += std::chrono::duration<double>(time).count();
}

double OpProfile::Sum::roofline_s(const Roofline& roofline) const {
  return roofline.SecondsFor({.bytes = bytes, .flops = flops});
}

kernels::OpCost OpProfile::total() const {
  kernels::OpCost total;
  for (const auto& [name, sum] : ops_) {
    total.bytes += sum.bytes;
    total.flops += sum.flops;
  }
  return total;
}

double OpProfile::roofline_s(const Roofline& roofline) const {
  double seconds = 0.0;
  for (const auto& [name, sum] : ops_) seconds += sum.roofline_s(roofline);
  return seconds;
}

int64_t OpProfile::body_flops() const {
  int64_t flops = 0;
  for (const auto& [name, sum] : ops_) {
    if (BodyProducts().contains(name)) flops += sum.flops;
  }
  return flops;
}

double OpProfile::seconds_of(const std::string& name) const {
  const auto it = ops_.find(name);
  return it == ops_.end() ? 0.0 : it->second.seconds;
}

std::string OpProfile::Table(const Roofline& roofline, int num_steps, double step_s) const {
  std::vector<std::pair<std::string, Sum>> sorted(ops_.begin(), ops_.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  std::string table =
      "| operator | calls | ms | of the step | MB | GFLOP | of its roofline |\n"
      "|---|---|---|---|---|---|---|\n";
  double known_s = 0.0;
  for (const auto& [name, sum] : sorted) {
    const double seconds = sum.seconds / num_steps;
    known_s += seconds;
    table += fmt::format(
        "| {} | {} | {:.2f} | {:.1f} % | {:.1f} | {:.2f} | {:.2f} |\n", name, sum.calls / num_steps,
        1e3 * seconds, 100.0 * seconds / step_s, static_cast<double>(sum.bytes) / num_steps / 1e6,
        static_cast<double>(sum.flops) / num_steps / 1e9, sum.roofline_s(roofline) / sum.seconds);
  }
  return table + fmt::format("| between them | | {:.2f} | {:.1f} % | | | |\n",
                             1e3 * (step_s - known_s), 100.0 * (step_s - known_s) / step_s);
}

}  // namespace atl::bench
