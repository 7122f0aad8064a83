#include "kernels/ops/delta_rule/delta_rule_isa.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/simd/f32x16.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/simd/math_body.h"
// Bodies of this operator.
#include "kernels/ops/delta_rule/delta_rows_body.h"
// The rule works on what the rows' body makes.
#include "kernels/ops/delta_rule/delta_rule_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/simd/math_body.h"
// Bodies of this operator.
#include "kernels/ops/delta_rule/delta_rows_body.h"
// The rule works on what the rows' body makes.
#include "kernels/ops/delta_rule/delta_rule_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/simd/math_body.h"
// Bodies of this operator.
#include "kernels/ops/delta_rule/delta_rows_body.h"
// The rule works on what the rows' body makes.
#include "kernels/ops/delta_rule/delta_rule_body.h"
ATOLL_ISA_END
