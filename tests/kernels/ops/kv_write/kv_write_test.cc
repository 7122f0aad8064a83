#include "kernels/ops/kv_write/kv_write.h"

#include <gtest/gtest.h>

#include <tuple>

#include "tests/kernels/ops/kv_fixture.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

class KvWriteTest : public ::testing::TestWithParam<std::tuple<Backend, DType>> {
 protected:
  Backend backend() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
  float Kept(float x) const { return dtype() == DType::kF32 ? x : ToFloat(ToBf16(x)); }

  // Writes the tokens from `begin` on in chunks.
  void Write(KernelContext& context, const TestCache& cache, const TestTokens& tokens,
             const std::vector<BlockId>& blocks, int chunk) {
    int begin = 0;
    for (const int rows : Chunks(tokens.count, chunk)) {
      const AttentionSequence sequence = {
          .row_begin = 0, .num_rows = rows, .position_begin = begin, .blocks = blocks};
      ASSERT_OK(KvWrite(context, {.k = tokens.K(begin, rows),
                                  .v = tokens.V(begin, rows),
                                  .kv = cache.view(),
                                  .sequences = {&sequence, 1}}));
      begin += rows;
    }
  }
};

TEST_P(KvWriteTest, EveryElementStandsInItsPlaceAndNothingElseIsTouched) {
  KernelContext context(backend(), nullptr);
  for (const AttentionShape& shape :
       {AttentionShape{2, 2, 24, dtype()}, AttentionShape{1, 1, 17, dtype()},
        AttentionShape{3, 3, 32, dtype()}, AttentionShape{2, 2, 256, dtype()}}) {
    TestCache cache(shape, 5, 0xff);
    const TestTokens tokens(shape, 150, 1);
    const std::vector<BlockId> blocks = cache.Take(150);
    Write(context, cache, tokens, blocks, 0);
    for (int p = 0; p < tokens.count; ++p) {
      for (int head = 0; head < shape.kv_heads; ++head) {
        for (int d = 0; d < shape.head_dim; ++d) {
          const size_t at = static_cast<size_t>((p * shape.kv_heads + head) * shape.head_dim + d);
          ASSERT_EQ(cache.Key(blocks, p, head, d), Kept(tokens.k[at])) << p << " " << d;
          ASSERT_EQ(cache.ValueOf(blocks, p, head, d), Kept(tokens.v[at])) << p << " " << d;
        }
      }
    }
    const int64_t written =
        int64_t{2} * 150 * shape.kv_heads * shape.head_dim * static_cast<int64_t>(SizeOf(dtype()));
    const int64_t untouched =
        std::count(cache.bytes().begin(), cache.bytes().end(), std::byte{0xff});
    EXPECT_GE(untouched, static_cast<int64_t>(cache.bytes().size()) - written);
    for (int64_t p = 150; p < 192; ++p) EXPECT_TRUE(std::isnan(cache.Key(blocks, p, 0, 0)));
    for (int64_t p = 150; p < 192; ++p) EXPECT_TRUE(std::isnan(cache.ValueOf(blocks, p, 0, 0)));
  }
}

TEST_P(KvWriteTest, ChunksAndThreadsGiveTheSameBytes) {
  const AttentionShape shape{2, 2, 40, dtype()};
  const TestTokens tokens(shape, 270, 2);
  KernelContext context(backend(), nullptr);
  TestCache whole(shape, 6);
  const std::vector<BlockId> blocks = whole.Take(270);
  Write(context, whole, tokens, blocks, 0);
  for (const int chunk : kChunkSizes) {
    TestCache cache(shape, 6);
    Write(context, cache, tokens, blocks, chunk);
    EXPECT_EQ(cache.bytes(), whole.bytes()) << chunk;
  }
  testing::TestThreads lender(2);
  KernelContext two(backend(), &lender);
  TestCache cache(shape, 6);
  Write(two, cache, tokens, blocks, 0);
  EXPECT_EQ(cache.bytes(), whole.bytes());
}

TEST_P(KvWriteTest, SeveralSequencesAndStridedRows) {
  const AttentionShape shape{1, 1, 24, dtype()};
  const TestTokens a(shape, 70, 3), b(shape, 9, 4);
  KernelContext context(backend(), nullptr);
  TestCache apart(shape, 8), together(shape, 8);
  const std::vector<BlockId> a_blocks = apart.Take(70), b_blocks = apart.Take(9);
  Write(context, apart, a, a_blocks, 0);
  Write(context, apart, b, b_blocks, 0);
  // Both in one batch, K and V side by side in one row of 50 floats.
  std::vector<float> rows(79 * 50);
  for (size_t t = 0; t < 79; ++t) {
    for (size_t d = 0; d < 24; ++d) {
      rows[t * 50 + d] = t < 70 ? a.k[t * 24 + d] : b.k[(t - 70) * 24 + d];
      rows[t * 50 + 24 + d] = t < 70 ? a.v[t * 24 + d] : b.v[(t - 70) * 24 + d];
    }
  }
  TensorView k = F32(rows.data(), {79, 1, 24}), v = F32(rows.data() + 24, {79, 1, 24});
  k.strides[0] = v.strides[0] = 50;
  const AttentionSequence sequences[] = {{0, 70, 0, a_blocks}, {70, 9, 0, b_blocks}};
  ASSERT_OK(KvWrite(context, {.k = k, .v = v, .kv = together.view(), .sequences = sequences}));
  EXPECT_EQ(together.bytes(), apart.bytes());
}

TEST_P(KvWriteTest, RefusesWhatDoesNotFit) {
  const AttentionShape shape{1, 1, 8, dtype()};
  const TestTokens tokens(shape, 65, 5);
  KernelContext context(backend(), nullptr);
  TestCache cache(shape, 2);
  const std::vector<BlockId> blocks = cache.Take(64);
  const auto write = [&](int rows, int64_t position) {
    const AttentionSequence sequence = {0, rows, position, blocks};
    return KvWrite(context, {.k = tokens.K(0, 65),
                             .v = tokens.V(0, 65),
                             .kv = cache.view(),
                             .sequences = {&sequence, 1}});
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_STATUS(write(65, 0), invalid, "1 blocks given, 2 needed");
  EXPECT_STATUS(write(66, 0), invalid, "outside the 65 rows");
  EXPECT_STATUS(write(1, -1), invalid, "position -1");
  EXPECT_STATUS(write(1, int64_t{1} << 24), invalid, "position 16777216");
  EXPECT_OK(write(64, 0));
}

INSTANTIATE_TEST_SUITE_P(Isas, KvWriteTest,
                         ::testing::Combine(::testing::ValuesIn(RunnableBackends()),
                                            ::testing::Values(DType::kF32, DType::kBf16)),
                         NameOfParam);

}  // namespace
}  // namespace atl::kernels
