#include "kernels/ops/permute/permute.h"

#include <gtest/gtest.h>

#include <deque>

#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

class PermuteTest : public KernelTest {};

TEST_P(PermuteTest, RoundRowsCopiesAndRounds) {
  Numbers numbers(1);
  testing::TestThreads lender(2);
  KernelContext context(backend(), &lender);
  // More rows than one task takes, and not a multiple of it.
  std::vector<int32_t> sources;
  for (int i = 0; i < 19; ++i) sources.push_back((i * 2 + 2) % 3);
  for (const DType dtype : kDTypes) {
    for (const Layout layout : kLayouts) {
      for (const int64_t hidden : {1, 15, 16, 17, 70}) {
        Matrix x(3, hidden, DType::kF32, layout);
        x.Fill(numbers);
        std::deque<Matrix> rows;
        std::vector<void*> outputs;
        for (size_t i = 0; i < sources.size(); ++i)
          outputs.push_back(rows.emplace_back(1, hidden, dtype, layout).view().data);
        ASSERT_OK(RoundRows(
            context, {.x = x.view(), .source_rows = sources, .outputs = outputs, .dtype = dtype}));
        for (size_t i = 0; i < sources.size(); ++i) {
          EXPECT_TRUE(rows[i].PaddingIsIntact());
          for (int64_t c = 0; c < hidden; ++c) {
            const float value = x.At(sources[i], c);
            ASSERT_EQ(rows[i].At(0, c), dtype == DType::kF32 ? value : ToFloat(ToBf16(value)));
          }
        }
      }
    }
  }
}

// Seventeen rows of a MoE block with k experts each.
struct Block {
  static constexpr int64_t kRows = 17;
  Block(int64_t hidden_size, int k_of, DType exchange, Layout layout)
      : hidden(kRows, hidden_size, DType::kF32, layout),
        shared(kRows, hidden_size, DType::kF32, layout),
        gate(kRows, 1, DType::kF32, {0, 3}),
        k(k_of) {
    Numbers numbers(4);
    hidden.Fill(numbers);
    shared.Fill(numbers);
    gate.Fill(numbers, 3.0f);
    for (int64_t i = 0; i < kRows * k; ++i) {
      pointers.push_back(
          experts.emplace_back(1, hidden_size, exchange, layout).Fill(numbers).view().data);
      weights.push_back(numbers.Next());
    }
  }
  // h + acc row by row.
  std::vector<float> Expected(int64_t hidden_size) const {
    std::vector<float> expected;
    for (int64_t t = 0; t < kRows; ++t) {
      const float g = ref::SigmoidOne(gate.At(t, 0));
      for (int64_t i = 0; i < hidden_size; ++i) {
        float acc = g * shared.At(t, i);
        for (int e = 0; e < k; ++e) {
          const size_t p = static_cast<size_t>(t * k + e);
          acc = ref::FmaOne(weights[p], experts[p].At(0, i), acc);
        }
        expected.push_back(hidden.At(t, i) + acc);
      }
    }
    return expected;
  }
  CombineArgs Args(DType exchange) const {
    return {.hidden = hidden.view(),
            .shared = shared.view(),
            .shared_gate = gate.view(),
            .expert_rows = pointers,
            .weights = weights,
            .k = k,
            .exchange_dtype = exchange};
  }
  Matrix hidden, shared, gate;
  int k;
  std::deque<Matrix> experts;
  std::vector<const void*> pointers;
  std::vector<float> weights;
};

TEST_P(PermuteTest, CombineEqualsTheDefinition) {
  testing::TestThreads lender(2);
  for (const DType exchange : kDTypes) {
    for (const Layout layout : kLayouts) {
      for (const auto& [hidden, k] : {std::pair<int64_t, int>{1, 1}, {16, 2}, {47, 8}, {33, 0}}) {
        for (ThreadLender* threads :
             {static_cast<ThreadLender*>(nullptr), static_cast<ThreadLender*>(&lender)}) {
          SCOPED_TRACE(::testing::Message() << NameOf(exchange) << " H " << hidden << " k " << k);
          KernelContext context(backend(), threads);
          Block block(hidden, k, exchange, layout);
          const std::vector<float> expected = block.Expected(hidden);
          ASSERT_OK(Combine(context, block.Args(exchange)));
          ASSERT_TRUE(SameBytes(expected, block.hidden.Values()));
          EXPECT_TRUE(block.hidden.PaddingIsIntact());
          // The sum alone: no bit of it is lost in what it is added to.
          Numbers numbers(5);
          block.hidden.Fill(numbers, 0.0f);
          const std::vector<float> sums = block.Expected(hidden);
          ASSERT_OK(Combine(context, block.Args(exchange)));
          ASSERT_TRUE(SameBytes(sums, block.hidden.Values()));
        }
      }
    }
  }
}

TEST_P(PermuteTest, RefusesWhatDoesNotFit) {
  KernelContext context(backend(), nullptr);
  Matrix x(3, 8);
  const int32_t outside[] = {3};
  void* outputs[] = {x.view().data};
  EXPECT_STATUS(RoundRows(context, {.x = x.view(), .source_rows = outside, .outputs = outputs}),
                absl::StatusCode::kInvalidArgument, "source row 3 is outside the 3 rows");
  EXPECT_STATUS(RoundRows(context, {.x = x.view(), .source_rows = outside, .outputs = {}}),
                absl::StatusCode::kInvalidArgument, "1 source rows for 0 outputs");
  Block block(8, 2, DType::kBf16, {});
  CombineArgs args = block.Args(DType::kBf16);
  args.weights = args.weights.first(3);
  EXPECT_STATUS(Combine(context, args), absl::StatusCode::kInvalidArgument,
                "34 expert rows and 3 weights for 17 rows of 2");
  args = block.Args(DType::kBf16);
  block.pointers[5] = nullptr;
  EXPECT_STATUS(Combine(context, args), absl::StatusCode::kInvalidArgument, "expert row 5");
}

ATOLL_INSTANTIATE_ON_ISAS(PermuteTest);

}  // namespace
}  // namespace atl::kernels
