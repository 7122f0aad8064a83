#include "kernels/ops/log_softmax/log_softmax.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/kernels/ops/sequence_fixtures.h"
#include "tests/support/status_matchers.h"

namespace atl::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

KernelContext OnIsa(Backend backend) { return KernelContext(backend, nullptr); }

double ReferenceLogTotal(std::span<const float> logits, float largest) {
  double total = 0.0;
  for (const float logit : logits) total += std::exp(double{logit} - double{largest});
  return std::log(total);
}

// Lanes of up to 256 numbers and a tree of 4 in fp32: at most 260 · 2^-24 of the sum, and as much
// absolutely of its logarithm; 2^-24 · |x − largest| < 1e-5 from the exponents; one rounding of
// numbers below 64 each for the logarithm and the difference.
constexpr double kTolerance = 260 * 0x1p-24 + 1e-5 + 2 * 64 * 0x1p-24;

TEST(LogSoftmaxTest, NearTheExactOneForAnyLength) {
  Numbers numbers(5);
  KernelContext context = OnIsa(Backend::kRef);
  for (const size_t count : {1, 2, 15, 16, 17, 4095, 4096, 4097, 100003}) {
    SCOPED_TRACE(count);
    const std::vector<float> logits = numbers.Many(count, 25.0f);
    ASSERT_OK_AND_ASSIGN(const LogSoftmax softmax, NormalizeLogits(context, logits));
    EXPECT_EQ(softmax.largest, *std::max_element(logits.begin(), logits.end()));
    const double log_total = ReferenceLogTotal(logits, softmax.largest);
    double worst = 0.0;
    for (const float logit : logits) {
      const double exact = double{logit} - double{softmax.largest} - log_total;
      worst = std::max(worst, std::abs(double{softmax.Of(logit)} - exact));
    }
    EXPECT_LE(worst, kTolerance);
  }
}

TEST(LogSoftmaxTest, IsasGiveTheSameBits) {
  Numbers numbers(6);
  for (const size_t count : {7, 4096, 50001}) {
    std::vector<float> logits = numbers.Many(count, 30.0f);
    logits[count / 2] = -kInf;
    KernelContext context = OnIsa(Backend::kRef);
    ASSERT_OK_AND_ASSIGN(const LogSoftmax expected, NormalizeLogits(context, logits));
    for (const Backend backend : RunnableBackends()) {
      KernelContext isa = OnIsa(backend);
      ASSERT_OK_AND_ASSIGN(const LogSoftmax softmax, NormalizeLogits(isa, logits));
      EXPECT_EQ(std::memcmp(&softmax, &expected, sizeof softmax), 0) << NameOf(backend);
    }
  }
}

TEST(LogSoftmaxTest, InfiniteLogits) {
  for (const Backend backend : RunnableBackends()) {
    KernelContext context = OnIsa(backend);
    ASSERT_OK_AND_ASSIGN(const LogSoftmax alone,
                         NormalizeLogits(context, std::vector<float>{-kInf, 3.0f, -kInf}));
    EXPECT_EQ(alone.Of(3.0f), 0.0f);
    EXPECT_EQ(alone.Of(-kInf), -kInf);
    ASSERT_OK_AND_ASSIGN(const LogSoftmax two,
                         NormalizeLogits(context, std::vector<float>{kInf, 3.0f, kInf, -kInf}));
    EXPECT_FLOAT_EQ(two.Of(kInf), std::log(0.5f));
    EXPECT_EQ(two.Of(3.0f), -kInf);
  }
}

TEST(LogSoftmaxTest, RefusesWhatHasNoProbabilities) {
  for (const Backend backend : RunnableBackends()) {
    KernelContext context = OnIsa(backend);
    for (const size_t at : {size_t{0}, size_t{20}, size_t{4999}}) {
      std::vector<float> logits(5000, 1.0f);
      logits[at] = std::numeric_limits<float>::quiet_NaN();
      EXPECT_STATUS(NormalizeLogits(context, logits), absl::StatusCode::kDataLoss, "not a number");
    }
    const std::vector<float> nans(3, std::numeric_limits<float>::quiet_NaN());
    EXPECT_STATUS(NormalizeLogits(context, nans), absl::StatusCode::kDataLoss, "not a number");
    EXPECT_STATUS(NormalizeLogits(context, std::vector<float>(3, -kInf)),
                  absl::StatusCode::kInvalidArgument, "all 3 logits are -inf");
    EXPECT_STATUS(NormalizeLogits(context, {}), absl::StatusCode::kInvalidArgument, "without");
  }
}

}  // namespace
}  // namespace atl::kernels
