// The ISAs of gemm; only gemm.cc and gemm_isa.cc include it.
#pragma once

#include "kernels/ops/gemm/gemm.h"

namespace atl::kernels {
namespace ref {
// All of part.y; at most kGemmRows rows. `scratch` holds kGemmScratchFloats.
void LinearPart(const LinearArgs& part, float* scratch);
// Panel `panel` of w [N, K] bf16 into `to`.
void PackPanelOf(const TensorView& w, int64_t panel, Bf16* to);
}  // namespace ref
namespace avx2 {
// All of part.y; at most kGemmRows rows. `scratch` holds kGemmScratchFloats.
void LinearPart(const LinearArgs& part, float* scratch);
// Panel `panel` of w [N, K] bf16 into `to`.
void PackPanelOf(const TensorView& w, int64_t panel, Bf16* to);
}  // namespace avx2
namespace avx512 {
// All of part.y; at most kGemmRows rows. `scratch` holds kGemmScratchFloats.
void LinearPart(const LinearArgs& part, float* scratch);
// Panel `panel` of w [N, K] bf16 into `to`.
void PackPanelOf(const TensorView& w, int64_t panel, Bf16* to);
}  // namespace avx512
}  // namespace atl::kernels
