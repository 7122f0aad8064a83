// The ISAs of the two measurements; only roofline.cc and roofline_isa.cc include it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace atl::kernels {

inline constexpr int kPeakFlopsPerTurn = 2 * 16 * 24;  // of RunMultiplyAdds
inline constexpr size_t kReadFloatsPerTurn = 64;       // `count` of SumFloats is a multiple of it

namespace ref {
void RunMultiplyAdds(int64_t turns, float* out);
void SumFloats(const float* from, size_t count, float* out);
}  // namespace ref
namespace avx2 {
void RunMultiplyAdds(int64_t turns, float* out);
void SumFloats(const float* from, size_t count, float* out);
}  // namespace avx2
namespace avx512 {
void RunMultiplyAdds(int64_t turns, float* out);
void SumFloats(const float* from, size_t count, float* out);
}  // namespace avx512
}  // namespace atl::kernels
