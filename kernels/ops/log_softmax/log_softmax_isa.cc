#include "kernels/ops/log_softmax/log_softmax_isa.h"

#include <limits>

#include "kernels/simd/f32x16.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/log_softmax/log_softmax_body.h"

float LogOfTotal(float total) { return Lane0(Log(Set1(total))); }
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/log_softmax/log_softmax_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/log_softmax/log_softmax_body.h"
ATOLL_ISA_END
