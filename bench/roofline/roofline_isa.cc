#include "bench/roofline/roofline_isa.h"

#include "kernels/simd/f32x16.h"

ATOLL_ISA_REF_BEGIN
#include "bench/roofline/roofline_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "bench/roofline/roofline_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "bench/roofline/roofline_body.h"
ATOLL_ISA_END
