#include "kernels/ops/sample/sample_isa.h"

#include <limits>

#include "kernels/simd/f32x16.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/sample/sample_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/sample/sample_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/sample/sample_body.h"
ATOLL_ISA_END
