#include "kernels/ops/sample/sample_isa.h"

#include <limits>

#include "kernels/simd/f32x16.h"

ATOLL_PAGE_REF_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/sample/sample_body.h"
ATOLL_PAGE_END

ATOLL_PAGE_AVX2_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/sample/sample_body.h"
ATOLL_PAGE_END

ATOLL_PAGE_AVX512_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/sample/sample_body.h"
ATOLL_PAGE_END
