// F32x16: sixteen floats, the one vector type of every kernel body, on three ISAs that give equal
// bits (ref, avx2, avx512). Every operation is defined lane by lane as the scalar ISA writes it;
// Max is `a > b ? a : b` (so NaN and signed zeros follow the second operand); missing lanes of
// LoadN get the identity given; bf16 narrows to nearest even in integers; ReduceAdd and ReduceMax
// fold lanes i, i + 8; i, i + 4; i, i + 2; i, i + 1. Bodies use nothing else: no libm, no
// estimates, no library min or max. NaN stays NaN; its payload is not promised. FTZ and DAZ hold on
// every compute thread (kernel_context.h).
//
// Use (x_isa.cc):   #include <standard headers> ; #include "kernels/simd/f32x16.h"
//                   ATOLL_ISA_REF_BEGIN
//                   #include "kernels/ops/x/x_body.h"
//                   ATOLL_ISA_END        … and the same for AVX2 and AVX512
#pragma once

#include "kernels/simd/f32x16_avx2.h"    // IWYU pragma: export
#include "kernels/simd/f32x16_avx512.h"  // IWYU pragma: export
#include "kernels/simd/f32x16_ref.h"     // IWYU pragma: export
