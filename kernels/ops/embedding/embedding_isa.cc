#include "kernels/ops/embedding/embedding_isa.h"

#include "kernels/simd/f32x16.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/simd/narrow_body.h"

#include "kernels/ops/embedding/embedding_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/simd/narrow_body.h"

#include "kernels/ops/embedding/embedding_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/simd/narrow_body.h"

#include "kernels/ops/embedding/embedding_body.h"
ATOLL_ISA_END
