#include "kernels/ops/rope/rope_isa.h"

#include <cmath>
#include <cstdint>

#include "kernels/simd/f32x16.h"

ATOLL_ISA_REF_BEGIN
#include "kernels/ops/rope/rope_body.h"

namespace {

struct SinCos {
  double sin;
  double cos;
};

// |x| < 2^24, a float. Cody and Waite: x = k · π/2 + r with |r| ≤ π/4. The upper part of π/2 is a
// multiple of 2^-52 and so is x when k ≠ 0, hence the first step is exact; the second leaves r good
// to half an ulp. Taylor series to r^17 and r^16, remainder below 5e-17.
inline SinCos SinAndCos(double x) {
  constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
  constexpr double kHalfPi = 0x1.921fb54442d18p+0;
  constexpr double kHalfPiRest = 0x1.1a62633145c07p-54;
  constexpr double kRound = 6755399441055744.0;  // 1.5 · 2^52: leaves the nearest integer
  const double k = std::fma(x, kTwoOverPi, kRound) - kRound;
  const double r = std::fma(-k, kHalfPiRest, std::fma(-k, kHalfPi, x));
  const double r2 = r * r;
  double s = -1.0 / 1307674368000.0;  // 15!
  s = std::fma(s, r2, 1.0 / 6227020800.0);
  s = std::fma(s, r2, -1.0 / 39916800.0);
  s = std::fma(s, r2, 1.0 / 362880.0);
  s = std::fma(s, r2, -1.0 / 5040.0);
  s = std::fma(s, r2, 1.0 / 120.0);
  s = std::fma(s, r2, -1.0 / 6.0);
  s = std::fma(s * r2, r, r);
  double c = 1.0 / 20922789888000.0;  // 16!
  c = std::fma(c, r2, -1.0 / 87178291200.0);
  c = std::fma(c, r2, 1.0 / 479001600.0);
  c = std::fma(c, r2, -1.0 / 3628800.0);
  c = std::fma(c, r2, 1.0 / 40320.0);
  c = std::fma(c, r2, -1.0 / 720.0);
  c = std::fma(c, r2, 1.0 / 24.0);
  c = std::fma(c, r2, -0.5);
  c = std::fma(c, r2, 1.0);
  switch (static_cast<int64_t>(k) & 3) {
    case 0:
      return {s, c};
    case 1:
      return {c, -s};
    case 2:
      return {-s, -c};
    default:
      return {-c, s};
  }
}

}  // namespace

void RotaryTableRows(const RotaryTableArgs& args, int64_t begin, int64_t end) {
  const float factor = static_cast<float>(args.frequencies->attention_factor);
  const int64_t half = args.cos.dims[1];
  for (int64_t t = begin; t < end; ++t) {
    const float position = static_cast<float>(args.positions[static_cast<size_t>(t)]);
    float* cos = args.cos.f32() + t * args.cos.strides[0];
    float* sin = args.sin.f32() + t * args.sin.strides[0];
    for (int64_t i = 0; i < half; ++i) {
      const float angle = args.frequencies->inv_freq[static_cast<size_t>(i)] * position;
      const SinCos exact = SinAndCos(static_cast<double>(angle));
      cos[i] = static_cast<float>(exact.cos) * factor;
      sin[i] = static_cast<float>(exact.sin) * factor;
    }
  }
}
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/ops/rope/rope_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/ops/rope/rope_body.h"
ATOLL_ISA_END
