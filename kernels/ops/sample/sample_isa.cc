#include "kernels/ops/sample/sample_isa.h"

#include "kernels/simd/f32x16.h"

ATOLL_PAGE_REF_BEGIN
#include "kernels/simd/math_body.h"

void ExpInPlace(float* x, size_t count) {
  for (size_t i = 0; i < count; i += 16) {
    const int n = count - i < 16 ? static_cast<int>(count - i) : 16;
    StoreN(x + i, Exp(LoadN(x + i, n, 0.0f)), n);
  }
}
ATOLL_PAGE_END
