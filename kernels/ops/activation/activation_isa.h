// The pages of activation; only activation.cc and activation_isa.cc include it.
#pragma once

#include "kernels/ops/activation/activation.h"

namespace atl::kernels {
namespace ref {
void SiluMulRows(const PairwiseArgs& args, int64_t begin, int64_t end);
void AddRows(const PairwiseArgs& args, int64_t begin, int64_t end);
}  // namespace ref
namespace avx2 {
void SiluMulRows(const PairwiseArgs& args, int64_t begin, int64_t end);
void AddRows(const PairwiseArgs& args, int64_t begin, int64_t end);
}  // namespace avx2
namespace avx512 {
void SiluMulRows(const PairwiseArgs& args, int64_t begin, int64_t end);
void AddRows(const PairwiseArgs& args, int64_t begin, int64_t end);
}  // namespace avx512
}  // namespace atl::kernels
