// Contexts of several spans.
#include "tests/kernels/ops/attention/attention_fixture.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

// Five spans: the tree over spans shows from the fourth on.
TEST_P(AttentionTest, SpansMergeByTheTree) {
  KernelContext context(backend(), nullptr);
  testing::TestThreads lender(2);
  KernelContext two(backend(), &lender);
  const AttentionShape shape = Shape(1, 1, 8);
  constexpr int kTokens = 5 * 4096 + 100;
  const TestTokens tokens(shape, kTokens, 28);
  TestCache cache(shape, kTokens / 64 + 1);
  const std::vector<BlockId> blocks = cache.Take(kTokens);
  Write(cache, tokens, blocks, 0, kTokens);
  // Across each boundary of spans, and the last rows; tiles that begin anywhere.
  for (const int begin : {4092, 8189, 12286, 16381, 16384, 20477, kTokens - 3}) {
    const int rows = std::min(begin % 2 == 0 ? 5 : 7, kTokens - begin);
    const std::vector<float> out = Attend(context, cache, tokens, blocks, begin, rows);
    EXPECT_TRUE(SameBytes(out, Plain(cache, tokens, blocks, begin, rows))) << begin;
    EXPECT_TRUE(SameBytes(out, Attend(two, cache, tokens, blocks, begin, rows))) << begin;
    for (int row = 0; row < rows; row += 3) {
      const size_t at = static_cast<size_t>(row) * 8;
      EXPECT_TRUE(SameBytes(Attend(context, cache, tokens, blocks, begin + row, 1),
                            std::span(out).subspan(at, 8)))
          << "alone at " << begin + row;
    }
  }
}

// One long sequence beside short ones: its spans are shared out, whatever the number of threads,
// and so are those of a tile of several positions.
TEST_P(AttentionTest, LongSequencesCutOverThreads) {
  const AttentionShape shape = Shape(2, 1, 8);
  const int row_width = shape.heads * shape.head_dim;
  struct Chunk {
    int count, rows;
  };
  const Chunk chunks[] = {{10 * 4096 + 100, 1}, {65, 1}, {7 * 4096 + 3, 5}, {4096, 1}, {9, 2}};
  TestCache cache(shape, 1200);
  std::vector<TestTokens> tokens;
  std::vector<std::vector<BlockId>> blocks;
  std::vector<AttentionSequence> sequences;
  std::vector<float> q, expected;
  for (const Chunk& chunk : chunks) {
    tokens.emplace_back(shape, chunk.count, 40 + chunk.count);
    blocks.push_back(cache.Take(chunk.count));
    Write(cache, tokens.back(), blocks.back(), 0, chunk.count);
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int begin = chunks[i].count - chunks[i].rows;
    sequences.push_back({static_cast<int>(q.size()) / row_width, chunks[i].rows, begin, blocks[i]});
    q.insert(q.end(), tokens[i].q.end() - int64_t{chunks[i].rows} * row_width, tokens[i].q.end());
    const std::vector<float> some = Plain(cache, tokens[i], blocks[i], begin, chunks[i].rows);
    expected.insert(expected.end(), some.begin(), some.end());
  }
  const int64_t rows = static_cast<int64_t>(q.size()) / row_width;
  AttentionPlan plan;
  for (const int threads : {1, 2, 3, 5, 16}) {
    testing::TestThreads lender(threads);
    KernelContext context(backend(), &lender);
    ASSERT_OK(plan.Make(PlanArgs(context, shape, rows, sequences)));
    EXPECT_EQ(plan.splits().empty(), threads == 1);
    std::vector<float> out(q.size());
    ASSERT_OK(Attention(context, {.plan = &plan,
                                  .q = F32(q.data(), {rows, shape.heads, shape.head_dim}),
                                  .kv = cache.view(),
                                  .scale = kScale,
                                  .out = F32(out.data(), {rows, shape.heads, shape.head_dim})}));
    EXPECT_TRUE(SameBytes(out, expected)) << threads << " threads";
  }
}

// The test sees the order: each plausible other one gives other bits.
TEST_P(AttentionTest, OtherOrdersDiffer) {
  KernelContext context(backend(), nullptr);
  const AttentionShape shape = Shape(1, 1, 8);
  constexpr int kTokens = 4 * 4096 + 70;
  const TestTokens tokens(shape, kTokens, 29);
  TestCache cache(shape, kTokens / 64 + 1);
  const std::vector<BlockId> blocks = cache.Take(kTokens);
  Write(cache, tokens, blocks, 0, kTokens);
  const int begin = 4 * 4096 - 8;  // in the fourth span
  const std::vector<float> out = Attend(context, cache, tokens, blocks, begin, 4);
  EXPECT_TRUE(SameBytes(out, Plain(cache, tokens, blocks, begin, 4)));
  for (const Order order : {Order::kSpansLeftToRight, Order::kNoSpans,
                            Order::kStackFoldedFromOldest, Order::kOneMaximum})
    EXPECT_FALSE(SameBytes(out, Plain(cache, tokens, blocks, begin, 4, order)))
        << static_cast<int>(order);
}

INSTANTIATE_TEST_SUITE_P(Isas, AttentionTest,
                         ::testing::Combine(::testing::ValuesIn(RunnableBackends()),
                                            ::testing::Values(DType::kF32, DType::kBf16)),
                         NameOfParam);

}  // namespace
}  // namespace atl::kernels
