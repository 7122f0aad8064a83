#include "kernels/ops/attention/attention_isa.h"

#include <cstdint>
#include <cstring>

#include "kernels/simd/f32x16.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/simd/math_body.h"
// Body of this operator.
#include "kernels/ops/attention/attention_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/simd/math_body.h"
// Body of this operator.
#include "kernels/ops/attention/attention_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/simd/math_body.h"
// Body of this operator.
#include "kernels/ops/attention/attention_body.h"
ATOLL_ISA_END
