#include "kernels/ops/rms_norm/rms_norm.h"

#include <gtest/gtest.h>

#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

constexpr int64_t kSizes[] = {1, 5, 15, 16, 17, 31, 64, 128, 250};

float SumOfSquares(const Matrix& x, int64_t row, int64_t count) {
  TreeSum sum;
  for (int64_t i = 0; i < count; ++i) sum.AddSquare(i, x.At(row, i));
  return sum.Total();
}
float InverseRms(const Matrix& x, int64_t row, int64_t count, float epsilon) {
  return ref::RsqrtOne(SumOfSquares(x, row, count) / static_cast<float>(count) + epsilon);
}

class RmsNormTest : public KernelTest {
 protected:
  KernelContext context() const { return KernelContext(backend(), nullptr); }
};

TEST_P(RmsNormTest, EqualsTheDefinition) {
  Numbers numbers(1);
  for (const DType dtype : kDTypes) {
    for (const Layout layout : kLayouts) {
      for (const int64_t count : kSizes) {
        SCOPED_TRACE(::testing::Message() << NameOf(dtype) << " D " << count);
        Matrix x(3, count, DType::kF32, layout), y(3, count, DType::kF32, layout),
            w(1, count, dtype, layout);
        x.Fill(numbers);
        w.Fill(numbers);
        TensorView weight = w.view();
        weight = TensorView::Dense(weight.data, dtype, {count});
        KernelContext kernels = context();
        ASSERT_OK(RmsNorm(kernels, {.x = x.view(), .weight = weight, .y = y.view()}));
        std::vector<float> expected;
        for (int64_t t = 0; t < 3; ++t) {
          const float s = InverseRms(x, t, count, 1e-6f);
          for (int64_t i = 0; i < count; ++i)
            expected.push_back(x.At(t, i) * s * (1.0f + w.At(0, i)));
        }
        ASSERT_TRUE(SameBytes(expected, y.Values()));
        EXPECT_TRUE(y.PaddingIsIntact());
        // In place: the same.
        ASSERT_OK(RmsNorm(kernels, {.x = x.view(), .weight = weight, .y = x.view()}));
        ASSERT_TRUE(SameBytes(expected, x.Values()));
      }
    }
  }
}

TEST_P(RmsNormTest, AddingFirstIsTheSameAsAddingBefore) {
  Numbers numbers(4);
  testing::TestThreads two(2);
  for (ThreadLender* threads :
       {static_cast<ThreadLender*>(nullptr), static_cast<ThreadLender*>(&two)}) {
    for (const Layout layout : kLayouts) {
      for (const int64_t count : {1, 5, 16, 31, 250, 9000}) {
        Matrix x(7, count, DType::kF32, layout), added(7, count, DType::kF32, layout),
            sum(7, count), y(7, count, DType::kF32, layout), expected(7, count),
            w(1, count, DType::kBf16);
        x.Fill(numbers);
        added.Fill(numbers);
        w.Fill(numbers);
        for (int64_t t = 0; t < 7; ++t)
          for (int64_t i = 0; i < count; ++i) sum.Set(t, i, x.At(t, i) + added.At(t, i));
        const TensorView weight = TensorView::Dense(w.view().data, DType::kBf16, {count});
        KernelContext kernels(backend(), threads);
        ASSERT_OK(RmsNorm(kernels, {.x = sum.view(), .weight = weight, .y = expected.view()}));
        ASSERT_OK(AddRmsNorm(
            kernels, {.x = x.view(), .added = added.view(), .weight = weight, .y = y.view()}));
        ASSERT_TRUE(SameBytes(sum.Values(), x.Values())) << count;
        ASSERT_TRUE(SameBytes(expected.Values(), y.Values())) << count;
        EXPECT_TRUE(x.PaddingIsIntact() && y.PaddingIsIntact());
      }
    }
  }
}

// The vectors of the model's specification: four values, so 1e-6 is some ten roundings.
TEST_P(RmsNormTest, PublishedVectors) {
  const float x[] = {1, -2, 3, 4}, w[] = {1, 0.5f, 2, 1};
  float y[4];
  KernelContext kernels = context();
  ASSERT_OK(RmsNorm(kernels, {.x = F32(x, {1, 4}), .weight = F32(w, {4}), .y = F32(y, {1, 4})}));
  const float normed[] = {0.7302967f, -1.0954450f, 3.2863351f, 2.9211868f};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(y[i], normed[i], 1e-6f);
}

TEST_P(RmsNormTest, RowsAndThreadsDoNotEnter) {
  Numbers numbers(3);
  // Wide enough for several tasks.
  Matrix x(17, 9000), w(1, 9000, DType::kBf16), batch(17, 9000), two_threads(17, 9000);
  x.Fill(numbers);
  w.Fill(numbers);
  const TensorView weight = TensorView::Dense(w.view().data, DType::kBf16, {9000});
  KernelContext one = context();
  testing::TestThreads lender(2);
  KernelContext two(backend(), &lender);
  ASSERT_OK(RmsNorm(one, {.x = x.view(), .weight = weight, .y = batch.view()}));
  ASSERT_OK(RmsNorm(two, {.x = x.view(), .weight = weight, .y = two_threads.view()}));
  const std::vector<float> together = batch.Values();
  EXPECT_TRUE(SameBytes(together, two_threads.Values()));
  for (int64_t t = 0; t < 17; ++t) {
    Matrix alone(1, 9000);
    ASSERT_OK(RmsNorm(one, {.x = Rows(x.view(), t, 1), .weight = weight, .y = alone.view()}));
    EXPECT_TRUE(SameBytes(alone.Values(),
                          std::span(together).subspan(static_cast<size_t>(t) * 9000, 9000)));
  }
}

TEST_P(RmsNormTest, RefusesWhatDoesNotFit) {
  KernelContext kernels = context();
  Matrix x(2, 8), y(2, 9), w(1, 8);
  const TensorView weight = F32(w.view().f32(), {8});
  EXPECT_STATUS(RmsNorm(kernels, {.x = x.view(), .weight = weight, .y = y.view()}),
                absl::StatusCode::kInvalidArgument, "RmsNorm y: expected [2, 8]");
  EXPECT_STATUS(RmsNorm(kernels, {.x = x.view(), .weight = w.view(), .y = x.view()}),
                absl::StatusCode::kInvalidArgument, "RmsNorm weight");
  EXPECT_STATUS(
      AddRmsNorm(kernels, {.x = x.view(), .added = y.view(), .weight = weight, .y = x.view()}),
      absl::StatusCode::kInvalidArgument, "AddRmsNorm added: expected [2, 8]");
  EXPECT_STATUS(
      RmsNorm(kernels, {.x = x.view(), .weight = weight, .epsilon = -1.0f, .y = x.view()}),
      absl::StatusCode::kInvalidArgument, "epsilon -1");
}

ATOLL_INSTANTIATE_ON_ISAS(RmsNormTest);

}  // namespace
}  // namespace atl::kernels
