// The ISAs of permute; only permute.cc and permute_isa.cc include it.
#pragma once

#include "kernels/ops/permute/permute.h"

namespace atl::kernels {
namespace ref {
void RoundRowRange(const RoundRowsArgs& args, int64_t begin, int64_t end);
void CombineRow(const CombineArgs& args, int64_t t);
}  // namespace ref
namespace avx2 {
void RoundRowRange(const RoundRowsArgs& args, int64_t begin, int64_t end);
void CombineRow(const CombineArgs& args, int64_t t);
}  // namespace avx2
namespace avx512 {
void RoundRowRange(const RoundRowsArgs& args, int64_t begin, int64_t end);
void CombineRow(const CombineArgs& args, int64_t t);
}  // namespace avx512
}  // namespace atl::kernels
