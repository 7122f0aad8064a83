// The pages of gemm; only gemm.cc and gemm_isa.cc include it.
#pragma once

#include "kernels/ops/gemm/gemm.h"

namespace atl::kernels {
namespace ref {
// All of part.y; at most kGemmRows rows. `scratch` holds kGemmScratchFloats.
void LinearPart(const LinearArgs& part, float* scratch);
}  // namespace ref
namespace avx2 {
// All of part.y; at most kGemmRows rows. `scratch` holds kGemmScratchFloats.
void LinearPart(const LinearArgs& part, float* scratch);
}  // namespace avx2
namespace avx512 {
// All of part.y; at most kGemmRows rows. `scratch` holds kGemmScratchFloats.
void LinearPart(const LinearArgs& part, float* scratch);
}  // namespace avx512
}  // namespace atl::kernels
