#include "kernels/ops/gemm/gemm_isa.h"

#include <cstdint>
#include <type_traits>

#include "kernels/ops/gemm/gemm_plan.h"
#include "kernels/simd/f32x16.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/simd/narrow_body.h"

#include "kernels/ops/gemm/gemm_body.h"

#include "kernels/ops/gemm/tile_body.h"

#include "kernels/ops/gemm/rows_body.h"

#include "kernels/ops/gemm/linear_body.h"
#include "kernels/ops/gemm/panels_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/simd/narrow_body.h"

#include "kernels/ops/gemm/gemm_body.h"

#include "kernels/ops/gemm/tile_body.h"

#include "kernels/ops/gemm/rows_body.h"

#include "kernels/ops/gemm/linear_body.h"
#include "kernels/ops/gemm/panels_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/simd/narrow_body.h"

#include "kernels/ops/gemm/gemm_body.h"

#include "kernels/ops/gemm/tile_body.h"

#include "kernels/ops/gemm/rows_body.h"

#include "kernels/ops/gemm/linear_body.h"
#include "kernels/ops/gemm/panels_body.h"
ATOLL_ISA_END
