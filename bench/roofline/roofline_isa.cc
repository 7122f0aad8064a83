#include "bench/roofline/roofline_isa.h"

#include "kernels/simd/f32x16.h"

ATOLL_PAGE_REF_BEGIN
#include "bench/roofline/roofline_body.h"
ATOLL_PAGE_END

ATOLL_PAGE_AVX2_BEGIN
#include "bench/roofline/roofline_body.h"
ATOLL_PAGE_END

ATOLL_PAGE_AVX512_BEGIN
#include "bench/roofline/roofline_body.h"
ATOLL_PAGE_END
