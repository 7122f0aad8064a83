#include "kernels/ops/embedding/embedding.h"

#include <gtest/gtest.h>

#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

class EmbeddingTest : public KernelTest {};

TEST_P(EmbeddingTest, GathersRows) {
  Numbers numbers(1);
  const TokenId ids[] = {TokenId{4}, TokenId{0}, TokenId{4}, TokenId{6}};
  testing::TestThreads lender(2);
  KernelContext context(backend(), &lender);
  for (const DType dtype : {DType::kF32, DType::kBf16, DType::kF16}) {
    for (const Layout layout : kLayouts) {
      for (const int64_t hidden : {1, 15, 16, 33, 64}) {
        Matrix table(7, hidden, dtype, layout), out(4, hidden, DType::kF32, layout);
        table.Fill(numbers);
        ASSERT_OK(Embedding(context, {.table = table.view(), .ids = ids, .out = out.view()}));
        for (int64_t t = 0; t < 4; ++t)
          for (int64_t i = 0; i < hidden; ++i)
            ASSERT_EQ(out.At(t, i), table.At(Value(ids[t]), i)) << "H " << hidden;
        EXPECT_TRUE(out.PaddingIsIntact());
      }
    }
  }
}

TEST_P(EmbeddingTest, RefusesIdsOutsideTheTable) {
  KernelContext context(backend(), nullptr);
  Matrix table(7, 8), out(1, 8), two(2, 8);
  for (const int32_t id : {-1, 7}) {
    const TokenId ids[] = {TokenId{id}};
    EXPECT_STATUS(Embedding(context, {.table = table.view(), .ids = ids, .out = out.view()}),
                  absl::StatusCode::kInvalidArgument, "outside the table of 7 rows");
  }
  const TokenId ids[] = {TokenId{1}};
  EXPECT_STATUS(Embedding(context, {.table = table.view(), .ids = ids, .out = two.view()}),
                absl::StatusCode::kInvalidArgument, "Embedding out: expected [1, 8]");
}

ATOLL_INSTANTIATE_ON_ISAS(EmbeddingTest);

}  // namespace
}  // namespace atl::kernels
