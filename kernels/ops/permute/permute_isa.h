// The pages of permute; only permute.cc and permute_isa.cc include it.
#pragma once

#include "kernels/ops/permute/permute.h"

namespace atl::kernels {
namespace ref {
void RoundRow(const RoundRowsArgs& args, int64_t i);
void CombineRow(const CombineArgs& args, int64_t t);
}  // namespace ref
namespace avx2 {
void RoundRow(const RoundRowsArgs& args, int64_t i);
void CombineRow(const CombineArgs& args, int64_t t);
}  // namespace avx2
namespace avx512 {
void RoundRow(const RoundRowsArgs& args, int64_t i);
void CombineRow(const CombineArgs& args, int64_t t);
}  // namespace avx512
}  // namespace atl::kernels
