#include "kernels/ops/kv_write/kv_write_isa.h"

#include <cstdint>

#include "kernels/simd/f32x16.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/ops/kv_write/kv_write_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/ops/kv_write/kv_write_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/ops/kv_write/kv_write_body.h"
ATOLL_ISA_END
