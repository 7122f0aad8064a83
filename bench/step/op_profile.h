// Where the time of a step went: what operators report, summed by name.
#pragma once

#include <map>
#include <string>

#include "bench/roofline/roofline.h"
#include "kernels/dispatch/op_timer.h"

namespace atl::bench {

class OpProfile : public kernels::OpObserver {
 public:
  void OnOp(const kernels::OpCost& cost, std::chrono::nanoseconds time) override;
  void Clear() { ops_.clear(); }

  // A table in Markdown, the longest first, of what one of `num_steps` equal steps took; `step_s`
  // is its whole time, and what no operator reports is its last line.
  std::string Table(const Roofline& roofline, int num_steps, double step_s) const;

  // Of all operators, since Clear.
  kernels::OpCost total() const;
  // The least time that the operators can take, each bound by what binds it.
  double roofline_s(const Roofline& roofline) const;
  // Products with weights: 2 · MACs, without the head's.
  int64_t body_flops() const;
  double seconds_of(const std::string& name) const;

 private:
  struct Sum {
    int64_t calls = 0, bytes = 0, flops = 0;
    double seconds = 0.0;
    double roofline_s(const Roofline& roofline) const;
  };
  std::map<std::string, Sum> ops_;
};

}  // namespace atl::bench
