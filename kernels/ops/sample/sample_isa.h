// The page of sample; only sample.cc and sample_isa.cc include it. Host code calls the scalar page
// alone: it exists on every machine, and all pages give its bits anyway.
#pragma once

#include <cstddef>

namespace atl::kernels::ref {

// x[i] = e^x[i].
void ExpInPlace(float* x, size_t count);

}  // namespace atl::kernels::ref
