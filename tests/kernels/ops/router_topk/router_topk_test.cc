#include "kernels/ops/router_topk/router_topk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

struct Chosen {
  std::vector<uint16_t> experts;
  std::vector<float> weights;
};

// The definition, for finite logits: softmax with the 16-lane tree, k largest by sorting, weights
// by ascending id.
void ChooseRow(const Matrix& logits, int64_t row, int64_t num_experts, int k, Chosen& chosen) {
  float most = logits.At(row, 0);
  for (int64_t e = 1; e < num_experts; ++e) most = std::max(most, logits.At(row, e));
  std::vector<float> p;
  TreeSum tree;
  for (int64_t e = 0; e < num_experts; ++e) {
    p.push_back(ref::ExpOne(logits.At(row, e) - most));
    tree.Add(e, p.back());
  }
  const float total = tree.Total();
  for (float& value : p) value /= total;
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
  order.resize(static_cast<size_t>(k));
  std::sort(order.begin(), order.end());
  float sum = 0.0f;
  for (const size_t e : order) sum += p[e];
  for (const size_t e : order) {
    chosen.experts.push_back(static_cast<uint16_t>(e));
    chosen.weights.push_back(p[e] / sum);
  }
}

class RouterTopkTest : public KernelTest {
 protected:
  Chosen Run(const TensorView& logits, int k, ThreadLender* threads = nullptr) {
    KernelContext context(backend(), threads);
    Chosen chosen;
    chosen.experts.resize(static_cast<size_t>(logits.dims[0] * k));
    chosen.weights.resize(chosen.experts.size());
    EXPECT_OK(RouterTopk(
        context, {.logits = logits, .k = k, .experts = chosen.experts, .weights = chosen.weights}));
    return chosen;
  }
  Chosen RunRow(const std::vector<float>& logits, int k) {
    return Run(F32(logits.data(), {1, static_cast<int64_t>(logits.size())}), k);
  }
};

TEST_P(RouterTopkTest, EqualsTheDefinition) {
  Numbers numbers(1);
  testing::TestThreads two(2);
  for (const Layout layout : kLayouts) {
    for (const auto& [num_experts, k] :
         {std::pair<int64_t, int>{1, 1}, {4, 2}, {15, 15}, {16, 3}, {33, 8}, {256, 8}, {100, 64}}) {
      SCOPED_TRACE(::testing::Message() << num_experts << " experts, k " << k);
      Matrix logits(35, num_experts, DType::kF32, layout);
      logits.Fill(numbers, 6.0f);
      // Ties in some rows.
      if (num_experts > 4)
        for (int64_t e = 0; e < num_experts; e += 2) logits.Set(3, e, 1.5f);
      Chosen expected;
      for (int64_t t = 0; t < 35; ++t) ChooseRow(logits, t, num_experts, k, expected);
      const Chosen found = Run(logits.view(), k);
      ASSERT_EQ(found.experts, expected.experts);
      ASSERT_TRUE(SameBytes(expected.weights, found.weights));
      const Chosen threaded = Run(logits.view(), k, &two);
      ASSERT_EQ(threaded.experts, expected.experts);
      ASSERT_TRUE(SameBytes(expected.weights, threaded.weights));
      const Chosen alone = Run(Rows(logits.view(), 17, 1), k);
      EXPECT_TRUE(SameBytes(alone.weights,
                            std::span(expected.weights)
                                .subspan(static_cast<size_t>(17 * k), static_cast<size_t>(k))));
    }
  }
}

// The vector of the model's specification; two weights, so 1e-6 is some ten roundings.
TEST_P(RouterTopkTest, PublishedVector) {
  const Chosen chosen = RunRow({2, 1, 0, -1}, 2);
  EXPECT_EQ(chosen.experts, (std::vector<uint16_t>{0, 1}));
  EXPECT_NEAR(chosen.weights[0], 0.7310586f, 1e-6f);
  EXPECT_NEAR(chosen.weights[1], 0.2689414f, 1e-6f);
}

TEST_P(RouterTopkTest, TiesGoToTheLowerId) {
  EXPECT_EQ(RunRow({1, 3, 3, 3, 1, 3}, 2).experts, (std::vector<uint16_t>{1, 2}));
  EXPECT_EQ(RunRow(std::vector<float>(40, 0.5f), 3).experts, (std::vector<uint16_t>{0, 1, 2}));
}

TEST_P(RouterTopkTest, NanCountsAsMinusInfinity) {
  const Chosen chosen = RunRow({NAN, 1.0f, -INFINITY, 0.0f}, 2);
  EXPECT_EQ(chosen.experts, (std::vector<uint16_t>{1, 3}));
  EXPECT_NEAR(chosen.weights[0], 0.7310586f, 1e-6f);
  const Chosen nothing = RunRow(std::vector<float>(5, NAN), 2);
  EXPECT_EQ(nothing.experts, (std::vector<uint16_t>{0, 1}));
  EXPECT_EQ(nothing.weights[0], 0.5f);
  const Chosen infinite = RunRow({0.0f, INFINITY, 1.0f}, 1);
  EXPECT_EQ(infinite.experts, (std::vector<uint16_t>{1}));
  EXPECT_EQ(infinite.weights[0], 1.0f);
}

TEST_P(RouterTopkTest, RefusesWhatDoesNotFit) {
  KernelContext context(backend(), nullptr);
  Matrix logits(2, 8);
  std::vector<uint16_t> experts(6);
  std::vector<float> weights(6);
  RouterTopkArgs args{.logits = logits.view(), .k = 3, .experts = experts, .weights = weights};
  for (const int k : {0, 9}) {
    args.k = k;
    EXPECT_STATUS(RouterTopk(context, args), absl::StatusCode::kInvalidArgument,
                  "must be between 1 and 8");
  }
  args.k = 4;
  EXPECT_STATUS(RouterTopk(context, args), absl::StatusCode::kInvalidArgument,
                "6 expert ids and 6 weights for 2 rows of 4");
}

ATOLL_INSTANTIATE_ON_ISAS(RouterTopkTest);

}  // namespace
}  // namespace atl::kernels
