#include "kernels/ops/router_topk/router_topk_isa.h"

#include <cstdint>
#include <limits>

#include "kernels/simd/f32x16.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/router_topk/router_topk_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/router_topk/router_topk_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/simd/math_body.h"

#include "kernels/ops/router_topk/router_topk_body.h"
ATOLL_ISA_END
