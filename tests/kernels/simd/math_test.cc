#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/simd/f32x16.h"
#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/kernels/simd/simd_fixtures.h"

ATOLL_ISA_REF_BEGIN
#include "tests/kernels/simd/math_functions_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX2_BEGIN
#include "kernels/simd/math_body.h"

#include "tests/kernels/simd/math_functions_body.h"
ATOLL_ISA_END

ATOLL_ISA_AVX512_BEGIN
#include "kernels/simd/math_body.h"

#include "tests/kernels/simd/math_functions_body.h"
ATOLL_ISA_END

namespace atl::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The range where the result is a normal float, and the bound of the error in units of the last
// place. Derivation: exp is one rounding of 1 + r·q with the errors of r and q scaled down by r
// (≤ 1 ulp); log adds one rounding to a term below half of it (≤ 1); a sum and a quotient of
// correctly rounded steps add ½ ulp each, doubled at worst where a power of two lies between.
struct Function {
  const char* name;
  double (*exact)(double);
  float least;
  float most;
  double ulps;
};
const Function kFunctions[] = {
    {"exp", [](double x) { return std::exp(x); }, -87.33f, 88.37f, 1.0},
    {"sigmoid", [](double x) { return 1.0 / (1.0 + std::exp(-x)); }, -87.33f, 1e38f, 3.0},
    {"silu", [](double x) { return x / (1.0 + std::exp(-x)); }, -87.33f, 1e38f, 4.0},
    {"log", [](double x) { return std::log(x); }, 0x1p-126f, 3e38f, 1.0},
    {"softplus", [](double x) { return x > 20.0 ? x : std::log1p(std::exp(x)); }, -87.33f, 1e38f,
     3.0},
    {"rsqrt", [](double x) { return 1.0 / std::sqrt(x); }, 0x1p-126f, 3e38f, 2.0},
};

// |found − exact| in units of the last place of `exact`.
double UlpsFrom(double exact, float found) {
  int exponent;
  std::frexp(exact, &exponent);
  return std::fabs(found - exact) / std::ldexp(1.0, exponent - 24);
}

class MathTest : public KernelTest {
 protected:
  // The functions of sixteen arguments, after a comparison with the scalar ISA.
  void Run(const float* x) {
    float expected[ref::kNumFunctions * 16];
    ref::Functions(x, expected);
    ATOLL_ON_ISA(*this, Functions(x, y_));
    for (int i = 0; i < ref::kNumFunctions * 16; ++i) {
      ASSERT_TRUE(SameWord(std::bit_cast<uint32_t>(expected[i]), std::bit_cast<uint32_t>(y_[i])))
          << kFunctions[i / 16].name << "(" << x[i % 16] << "): " << expected[i] << " on ref, "
          << y_[i];
    }
  }
  float Value(int function, float x) {
    const std::vector<float> all(16, x);
    Run(all.data());
    return y_[function * 16 + 3];
  }

  float y_[ref::kNumFunctions * 16];
};

TEST_P(MathTest, RandomPatternsGiveTheBitsOfTheScalarIsa) {
  const std::vector<float> x = RandomPatterns(11, 1 << 20);
  for (size_t i = 0; i < x.size() && !HasFatalFailure(); i += 16) Run(&x[i]);
}

TEST_P(MathTest, SpecialsGiveTheBitsOfTheScalarIsa) {
  std::vector<float> x = Specials();
  x.resize((x.size() + 15) / 16 * 16);
  for (size_t i = 0; i < x.size(); i += 16) Run(&x[i]);
}

TEST_P(MathTest, ErrorsStayWithinTheirBounds) {
  Numbers numbers(5);
  for (int f = 0; f < ref::kNumFunctions; ++f) {
    const Function& function = kFunctions[f];
    double worst = 0.0;
    float worst_x = 0.0f;
    for (int round = 0; round < 20000; ++round) {
      float x[16];
      for (float& value : x) {
        do value = FloatOf(static_cast<uint32_t>(numbers.Bits() >> 32));
        while (!(value >= function.least && value <= function.most) ||
               (value != 0.0f && std::fabs(value) < 0x1p-126f));
      }
      Run(x);
      for (int i = 0; i < 16; ++i) {
        const double exact = function.exact(x[i]);
        if (std::fabs(exact) < 0x1p-125) continue;  // flushed, or beside it
        const double error = UlpsFrom(exact, y_[f * 16 + i]);
        if (!(error <= worst)) {
          worst = error;
          worst_x = x[i];
        }
      }
    }
    EXPECT_LE(worst, function.ulps) << function.name << " at " << worst_x;
  }
}

TEST_P(MathTest, Corners) {
  EXPECT_EQ(Value(0, 0.0f), 1.0f);
  EXPECT_EQ(Value(0, -0.0f), 1.0f);
  EXPECT_EQ(Value(0, -kInfinity), 0.0f);
  EXPECT_EQ(Value(0, -87.340004f), 0.0f);
  EXPECT_GT(Value(0, -87.33f), 0.0f);
  EXPECT_EQ(Value(0, kInfinity), Value(0, 88.37f));
  EXPECT_LT(Value(0, kInfinity), kInfinity);
  EXPECT_EQ(Value(1, 0.0f), 0.5f);
  EXPECT_EQ(Value(1, kInfinity), 1.0f);
  EXPECT_EQ(Value(1, -kInfinity), 0.0f);
  EXPECT_EQ(Value(2, 0.0f), 0.0f);
  EXPECT_EQ(Value(2, 1000.0f), 1000.0f);
  EXPECT_EQ(Value(2, -1000.0f), 0.0f);
  EXPECT_EQ(Value(3, 1.0f), 0.0f);
  EXPECT_EQ(Value(3, 0.0f), -kInfinity);
  EXPECT_EQ(Value(3, kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(Value(3, -1.0f)));
  EXPECT_EQ(Value(4, 20.5f), 20.5f);
  EXPECT_EQ(Value(4, -kInfinity), 0.0f);
  EXPECT_EQ(Value(4, -50.0f), Value(0, -50.0f));
  EXPECT_EQ(Value(5, 4.0f), 0.5f);
  for (int f = 0; f < ref::kNumFunctions; ++f)
    EXPECT_TRUE(std::isnan(Value(f, kNan))) << kFunctions[f].name;
}

ATOLL_INSTANTIATE_ON_ISAS(MathTest);

}  // namespace
}  // namespace atl::kernels
