// The ISAs of log_softmax; only log_softmax.cc and log_softmax_isa.cc include it.
#pragma once

#include <cstddef>

namespace atl::kernels {
namespace ref {
void LargestLogit(const float* x, size_t count, float* largest);
void SumExp(const float* x, size_t count, float largest, float* sum);
// ln of one number; all ISAs would give its bits, so there is one.
float LogOfTotal(float total);
}  // namespace ref
namespace avx2 {
void LargestLogit(const float* x, size_t count, float* largest);
void SumExp(const float* x, size_t count, float largest, float* sum);
}  // namespace avx2
namespace avx512 {
void LargestLogit(const float* x, size_t count, float* largest);
void SumExp(const float* x, size_t count, float largest, float* sum);
}  // namespace avx512
}  // namespace atl::kernels
