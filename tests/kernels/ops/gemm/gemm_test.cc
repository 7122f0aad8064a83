#include "kernels/ops/gemm/gemm.h"

#include <gtest/gtest.h>

#include "tests/kernels/ops/gemm/panel_fixture.h"
#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

// The definition: one fused multiply-add after another in ascending k, from +0.
template <typename Weight>
std::vector<float> Chains(const Matrix& x, const Weight& w, int64_t rows, int64_t columns,
                          int64_t depth) {
  std::vector<float> y;
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t n = 0; n < columns; ++n) {
      float sum = 0.0f;
      for (int64_t k = 0; k < depth; ++k) sum = ref::FmaOne(x.At(t, k), w.At(n, k), sum);
      y.push_back(sum);
    }
  }
  return y;
}

class GemmTest : public KernelTest {
 protected:
  std::vector<float> Run(const TensorView& x, const WeightView& w,
                         ThreadLender* threads = nullptr) {
    KernelContext context(backend(), threads);
    Matrix y(x.dims[0], w.rows(), DType::kF32, {.offset = 3, .pad = 5});
    EXPECT_OK(Linear(context, {.x = x, .w = w, .y = y.view()}));
    EXPECT_TRUE(y.PaddingIsIntact());
    return y.Values();
  }
};

TEST_P(GemmTest, EveryShapeTypeAndAlignmentEqualsTheChain) {
  Numbers numbers(1);
  for (const DType dtype : kWeightDTypes) {
    for (const Layout layout : kLayouts) {
      for (const int64_t depth : {1, 15, 16, 17, 31, 33, 64, 127, 129, 260}) {
        for (const int64_t columns : {1, 15, 16, 17, 33, 50}) {
          for (const int64_t rows : {1, 2, 3, 7, 13, 17}) {
            SCOPED_TRACE(::testing::Message() << NameOf(dtype) << " T " << rows << " N " << columns
                                              << " K " << depth << " offset " << layout.offset);
            Matrix x(rows, depth, DType::kF32, layout);
            WeightMatrix w(columns, depth, dtype, layout);
            x.Fill(numbers);
            w.Fill(numbers);
            ASSERT_TRUE(SameBytes(Chains(x, w, rows, columns, depth), Run(x.view(), w.view())));
          }
        }
      }
    }
  }
}

// More rows than are staged at once, and more columns than a task takes.
TEST_P(GemmTest, ManyRowsAndColumns) {
  Numbers numbers(2);
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{397, 40}, {3, 1100}, {1, 1100}}) {
    Matrix x(rows, 70), w(columns, 70, DType::kBf16);
    x.Fill(numbers);
    w.Fill(numbers);
    EXPECT_TRUE(SameBytes(Chains(x, w, rows, columns, 70), Run(x.view(), w.view())));
  }
}

// Rows of a quantised matrix that cross a block of scales, in the middle of it and of a task.
TEST_P(GemmTest, BlockScalesFollowTheirRows) {
  Numbers numbers(5);
  WeightMatrix w(700, 300, DType::kF8E4m3, {1, 3});
  w.Fill(numbers);
  for (const int64_t rows : {1, 5}) {
    Matrix x(rows, 300);
    x.Fill(numbers);
    const std::vector<float> whole = Run(x.view(), w.view());
    ASSERT_TRUE(SameBytes(Chains(x, w, rows, 700, 300), whole));
    testing::TestThreads two(2);
    ASSERT_TRUE(SameBytes(whole, Run(x.view(), w.view(), &two)));
    const std::vector<float> slice = Run(x.view(), Rows(w.view(), 121, 300));
    for (int64_t t = 0; t < rows; ++t)
      ASSERT_TRUE(SameBytes(std::span(whole).subspan(static_cast<size_t>(t * 700 + 121), 300),
                            std::span(slice).subspan(static_cast<size_t>(t * 300), 300)));
  }
}

// A row's answer is its own: alone, in a batch of 17, and with two threads.
TEST_P(GemmTest, RowsAndThreadsDoNotEnter) {
  Numbers numbers(3);
  constexpr int64_t kRows = 17, kColumns = 333, kDepth = 300;
  Matrix x(kRows, kDepth), w(kColumns, kDepth, DType::kBf16);
  x.Fill(numbers);
  w.Fill(numbers);
  const std::vector<float> batch = Run(x.view(), w.view());
  testing::TestThreads two(2);
  EXPECT_TRUE(SameBytes(batch, Run(x.view(), w.view(), &two)));
  for (int64_t t = 0; t < kRows; ++t) {
    const std::span<const float> row = std::span(batch).subspan(t * kColumns, kColumns);
    EXPECT_TRUE(SameBytes(row, Run(Rows(x.view(), t, 1), w.view())));
    EXPECT_TRUE(SameBytes(row, Run(Rows(x.view(), t, 1), w.view(), &two)));
  }
}

// Panels have the bytes of the matrix that they were packed from: any shape, rows and threads.
TEST_P(GemmTest, PanelsEqualRowMajor) {
  Numbers numbers(6);
  testing::TestThreads three(3);
  for (const int64_t depth : {1, 2, 33, 255, 256, 257, 600}) {
    for (const int64_t columns : {1, 16, 31, 32, 33, 100}) {
      Matrix w(columns, depth, DType::kBf16, {1, 3});
      w.Fill(numbers);
      const PackedWeight packed(backend(), w.view());
      for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 16, 25, 40}) {
        SCOPED_TRACE(::testing::Message() << "T " << rows << " N " << columns << " K " << depth);
        Matrix x(rows, depth, DType::kF32, {1, 3});
        x.Fill(numbers);
        const std::vector<float> expected = Run(x.view(), w.view());
        ASSERT_TRUE(SameBytes(expected, Run(x.view(), packed.view())));
        ASSERT_TRUE(SameBytes(expected, Run(x.view(), packed.view(), &three)));
      }
    }
  }
}

// More rows than a task takes, cut for the sake of threads as well.
TEST_P(GemmTest, ManyRowsFromPanels) {
  Numbers numbers(7);
  Matrix x(1100, 300), w(70, 300, DType::kBf16);
  x.Fill(numbers);
  w.Fill(numbers);
  const PackedWeight packed(backend(), w.view());
  const std::vector<float> expected = Chains(x, w, 1100, 70, 300);
  testing::TestThreads two(2);
  EXPECT_TRUE(SameBytes(expected, Run(x.view(), packed.view())));
  EXPECT_TRUE(SameBytes(expected, Run(x.view(), packed.view(), &two)));
  EXPECT_TRUE(SameBytes(expected, Run(x.view(), w.view(), &two)));
}

// Rows of a packed matrix: from its panels where they begin with one, else row-major. The values
// are spoilt after packing, so only the second reads NaN.
TEST_P(GemmTest, ASliceReadsItsPanels) {
  Numbers numbers(8);
  Matrix x(3, 64), w(100, 64, DType::kBf16);
  x.Fill(numbers);
  w.Fill(numbers);
  const PackedWeight packed(backend(), w.view());
  const std::vector<float> slice = Run(x.view(), Rows(WeightView(w.view()), 64, 20));
  for (int64_t n = 64; n < 84; ++n) w.Set(n, 5, NAN);
  EXPECT_TRUE(SameBytes(slice, Run(x.view(), Rows(packed.view(), 64, 20))));
  const std::vector<float> odd = Run(x.view(), Rows(packed.view(), 65, 3));
  EXPECT_TRUE(std::isnan(odd[0]));
}

// A group gives what its layers give one by one, also with an empty one among them.
TEST_P(GemmTest, AGroupEqualsItsLayers) {
  Numbers numbers(9);
  testing::TestThreads two(2);
  Matrix first(300, 90, DType::kBf16), second(1, 90), third(40, 90, DType::kBf16);
  for (Matrix* w : {&first, &second, &third}) w->Fill(numbers);
  const PackedWeight packed(backend(), third.view());
  for (const int64_t rows : {1, 5, 60}) {
    Matrix x(rows, 90);
    x.Fill(numbers);
    Matrix a(rows, 300), b(rows, 1, DType::kF32, {1, 2}), none(rows, 0), c(rows, 40);
    const LinearOutput outputs[] = {{.w = first.view(), .y = a.view()},
                                    {.w = second.view(), .y = b.view()},
                                    {.w = Rows(first.view(), 0, 0), .y = none.view()},
                                    {.w = packed.view(), .y = c.view()}};
    for (ThreadLender* threads :
         {static_cast<ThreadLender*>(nullptr), static_cast<ThreadLender*>(&two)}) {
      KernelContext context(backend(), threads);
      ASSERT_OK(LinearGroup(context, {.x = x.view(), .outputs = outputs}));
      EXPECT_TRUE(SameBytes(a.Values(), Run(x.view(), first.view())));
      EXPECT_TRUE(SameBytes(b.Values(), Run(x.view(), second.view())));
      EXPECT_TRUE(SameBytes(c.Values(), Run(x.view(), third.view())));
      EXPECT_TRUE(b.PaddingIsIntact());
    }
  }
}

// The tails add nothing: an infinite or NaN weight beyond K or N never meets a zero.
TEST_P(GemmTest, SpecialValuesStayInTheirOutputs) {
  Matrix x(2, 19), w(18, 19, DType::kBf16);
  for (int64_t k = 0; k < 19; ++k) {
    x.Set(0, k, 1.0f);
    x.Set(1, k, 0.0f);
    for (int64_t n = 0; n < 18; ++n) w.Set(n, k, 1.0f);
  }
  w.Set(17, 18, INFINITY);
  const PackedWeight packed(backend(), w.view());
  for (const WeightView& weight : {WeightView(w.view()), packed.view()}) {
    const std::vector<float> y = Run(x.view(), weight);
    for (int n = 0; n < 17; ++n) EXPECT_EQ(y[static_cast<size_t>(n)], 19.0f);
    EXPECT_EQ(y[17], INFINITY);
    EXPECT_EQ(y[18], 0.0f);
    EXPECT_TRUE(std::isnan(y[35]));
  }
}

TEST_P(GemmTest, RefusesWhatDoesNotFit) {
  KernelContext context(backend(), nullptr);
  Matrix x(2, 8), w(3, 8), y(2, 3), deep(3, 9), none(2, 0), empty(3, 0);
  EXPECT_STATUS(Linear(context, {.x = x.view(), .w = deep.view(), .y = y.view()}),
                absl::StatusCode::kInvalidArgument, "Linear w: expected [3, 8]");
  EXPECT_STATUS(Linear(context, {.x = x.view(), .w = w.view(), .y = x.view()}),
                absl::StatusCode::kInvalidArgument, "Linear y");
  EXPECT_STATUS(Linear(context, {.x = none.view(), .w = empty.view(), .y = y.view()}),
                absl::StatusCode::kInvalidArgument, "no elements");
  Matrix narrow(2, 8, DType::kBf16);
  EXPECT_STATUS(Linear(context, {.x = narrow.view(), .w = w.view(), .y = y.view()}),
                absl::StatusCode::kInvalidArgument, "Linear x: expected [2, 8] float32");
  Matrix quantised(3, 8, DType::kF8E4m3), scales(1, 1), wide(1, 2);
  EXPECT_STATUS(Linear(context, {.x = x.view(), .w = quantised.view(), .y = y.view()}),
                absl::StatusCode::kInvalidArgument, "float8_e4m3fn weights need block scales");
  EXPECT_STATUS(Linear(context, {.x = x.view(), .w = {w.view(), scales.view()}, .y = y.view()}),
                absl::StatusCode::kInvalidArgument, "float32 weights have no block scales");
  EXPECT_STATUS(
      Linear(context, {.x = x.view(), .w = {quantised.view(), wide.view()}, .y = y.view()}),
      absl::StatusCode::kInvalidArgument, "Linear w scales: expected [1, 1]");
}

ATOLL_INSTANTIATE_ON_ISAS(GemmTest);

}  // namespace
}  // namespace atl::kernels
