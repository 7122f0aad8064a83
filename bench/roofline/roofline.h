// What this machine can do at most, measured now and on the same threads: the yardstick of every
// fraction in bench/.
#pragma once

#include "kernels/dispatch/kernel_context.h"

namespace atl::bench {

struct Roofline {
  double read_bytes_per_s = 0.0;  // each thread reads one stream, from huge pages
  double flops_per_s = 0.0;       // independent fused multiply-adds in registers; two each

  // The least time that an operator can take here.
  double SecondsFor(const kernels::OpCost& cost) const;
};

// The mean of two: what was there around something measured between them.
Roofline Between(const Roofline& before, const Roofline& after);

// Takes about half a second. The ISA and the threads are those of `context`; its threads may have
// slept before.
Roofline MeasureRoofline(kernels::KernelContext& context);

}  // namespace atl::bench
