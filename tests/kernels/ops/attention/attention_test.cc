#include "tests/kernels/ops/attention/attention_fixture.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

TEST_P(AttentionTest, EqualsTheCanonicalOrderWrittenOut) {
  KernelContext context(backend(), nullptr);
  for (const AttentionShape& shape :
       {Shape(4, 2, 32), Shape(8, 2, 24), Shape(3, 1, 8), Shape(5, 5, 17), Shape(2, 1, 80),
        Shape(12, 1, 72), Shape(1, 1, 1)}) {
    const TestTokens tokens(shape, 200, 21);
    TestCache cache(shape, 4, 0xff);
    const std::vector<BlockId> blocks = cache.Take(tokens.count);
    Write(cache, tokens, blocks, 0, tokens.count);
    EXPECT_TRUE(SameBytes(Attend(context, cache, tokens, blocks, 0, 200),
                          Plain(cache, tokens, blocks, 0, 200)))
        << shape.heads << " heads over " << shape.kv_heads << " of " << shape.head_dim;
  }
}

// 256 channels, 8 query heads a KV head: the published shape.
TEST_P(AttentionTest, PublishedShape) {
  KernelContext context(backend(), nullptr);
  const AttentionShape shape = Shape(16, 2, 256);
  const TestTokens tokens(shape, 150, 22);
  TestCache cache(shape, 3, 0xff);
  const std::vector<BlockId> blocks = cache.Take(tokens.count);
  Write(cache, tokens, blocks, 0, tokens.count);
  const std::vector<float> tile = Attend(context, cache, tokens, blocks, 120, 30);
  EXPECT_TRUE(SameBytes(tile, Plain(cache, tokens, blocks, 120, 30)));
}

// Against the definition in double. Scores err by D ulps of Σ|q·k|, at most; a probability by twice
// that, by its own rounding and the sum's.
TEST_P(AttentionTest, NearTheDefinition) {
  KernelContext context(backend(), nullptr);
  const AttentionShape shape = Shape(4, 2, 32);
  const TestTokens tokens(shape, 300, 23);
  TestCache cache(shape, 5);
  const std::vector<BlockId> blocks = cache.Take(tokens.count);
  Write(cache, tokens, blocks, 0, tokens.count);
  const std::vector<float> out = Attend(context, cache, tokens, blocks, 0, 300);
  const double eps = 0x1p-24;
  for (int row = 0; row < 300; row += 13) {
    for (int head = 0; head < 4; ++head) {
      const size_t at = static_cast<size_t>((row * 4 + head) * 32);
      std::vector<double> scores;
      double largest = 0.0, sum = 0.0;
      for (int key = 0; key <= row; ++key) {
        double s = 0.0, magnitude = 0.0;
        for (int d = 0; d < 32; ++d) {
          const double term = double{tokens.q[at + static_cast<size_t>(d)]} *
                              cache.Key(blocks, key, head / 2, d) * kScale;
          s += term;
          magnitude += std::abs(term);
        }
        scores.push_back(s);
        largest = std::max(largest, magnitude);
      }
      for (double& s : scores) sum += s = std::exp(s);
      const double tolerance = (2.0 * 34 * largest + row + 20) * eps;  // |v| ≤ 1
      for (int d = 0; d < 32; ++d) {
        double expected = 0.0;
        for (int key = 0; key <= row; ++key)
          expected +=
              scores[static_cast<size_t>(key)] / sum * cache.ValueOf(blocks, key, head / 2, d);
        ASSERT_NEAR(out[at + static_cast<size_t>(d)], expected, tolerance) << row << " " << d;
      }
    }
  }
}

TEST_P(AttentionTest, ChunksOfAnySizeAndThreads) {
  KernelContext context(backend(), nullptr);
  testing::TestThreads lender(2);
  KernelContext two(backend(), &lender);
  const AttentionShape shape = Shape(6, 2, 24);
  const TestTokens tokens(shape, 270, 24);
  TestCache cache(shape, 5, 0xff);
  const std::vector<float> whole = InChunks(context, cache, tokens, 0);
  for (const int chunk : kChunkSizes) {
    TestCache other(shape, 5, 0xff);
    EXPECT_TRUE(SameBytes(InChunks(chunk % 2 == 0 ? two : context, other, tokens, chunk), whole))
        << "chunks of " << chunk;
  }
}

TEST_P(AttentionTest, ARowAloneOrInABatch) {
  KernelContext context(backend(), nullptr);
  testing::TestThreads lender(2);
  KernelContext two(backend(), &lender);
  const AttentionShape shape = Shape(4, 1, 40);
  const int row_width = shape.heads * shape.head_dim;
  TestCache cache(shape, 40);
  std::vector<TestTokens> tokens;
  std::vector<std::vector<BlockId>> blocks;
  std::vector<AttentionSequence> sequences;
  std::vector<float> q, alone;
  for (int i = 0; i < 17; ++i) {
    const int count = 1 + i * 9;
    tokens.emplace_back(shape, count, 30 + i);
    blocks.push_back(cache.Take(count));
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int count = tokens[i].count;
    const int rows = std::min(count, 1 + static_cast<int>(i % 5 * (i % 3)));
    Write(cache, tokens[i], blocks[i], 0, count);
    const std::vector<float> some =
        Attend(context, cache, tokens[i], blocks[i], count - rows, rows);
    alone.insert(alone.end(), some.begin(), some.end());
    sequences.push_back({static_cast<int>(q.size()) / row_width, rows, count - rows, blocks[i]});
    q.insert(q.end(), tokens[i].q.end() - int64_t{rows} * row_width, tokens[i].q.end());
  }
  const int64_t rows = static_cast<int64_t>(q.size()) / row_width;
  for (KernelContext* each : {&context, &two}) {
    // Rows of a wider buffer, from an odd address.
    std::vector<float> wide(static_cast<size_t>(rows * (row_width + 9) + 1), 7.0f);
    TensorView out = F32(wide.data() + 1, {rows, shape.heads, shape.head_dim});
    out.strides[0] = row_width + 9;
    AttentionPlan plan;
    ASSERT_OK(plan.Make(PlanArgs(*each, shape, rows, sequences)));
    ASSERT_OK(Attention(*each, {.plan = &plan,
                                .q = F32(q.data(), {rows, shape.heads, shape.head_dim}),
                                .kv = cache.view(),
                                .scale = kScale,
                                .out = out}));
    std::vector<float> together;
    for (int64_t t = 0; t < rows; ++t) {
      const float* row = wide.data() + 1 + t * (row_width + 9);
      together.insert(together.end(), row, row + row_width);
    }
    EXPECT_TRUE(SameBytes(together, alone));
    EXPECT_EQ(std::count(wide.begin(), wide.end(), 7.0f), 1 + rows * 9);
  }
}

// A gate beside the queries, as the projection lays it out; the product is rounded once.
TEST_P(AttentionTest, TheGateMultipliesWhatComesOut) {
  KernelContext context(backend(), nullptr);
  for (const AttentionShape& shape : {Shape(4, 2, 24), Shape(8, 1, 33)}) {
    const TestTokens tokens(shape, 70, 33);
    TestCache cache(shape, 2);
    const std::vector<BlockId> blocks = cache.Take(70);
    Write(cache, tokens, blocks, 0, 70);
    const std::vector<float> plain = Attend(context, cache, tokens, blocks, 0, 70);
    Numbers numbers(34);
    const std::vector<float> gates = numbers.Many(70 * shape.heads * 2 * shape.head_dim, 9.0f);
    TensorView gate = F32(gates.data() + shape.head_dim, {70, shape.heads, shape.head_dim});
    gate.strides = {int64_t{shape.heads} * 2 * shape.head_dim, int64_t{2} * shape.head_dim, 1, 0};
    const AttentionSequence sequence = {0, 70, 0, blocks};
    AttentionPlan plan;
    ASSERT_OK(plan.Make(PlanArgs(context, shape, 70, {&sequence, 1})));
    std::vector<float> out(plain.size()), expected;
    ASSERT_OK(Attention(context, {.plan = &plan,
                                  .q = tokens.Q(0, 70),
                                  .kv = cache.view(),
                                  .scale = kScale,
                                  .gate = gate,
                                  .out = F32(out.data(), {70, shape.heads, shape.head_dim})}));
    const size_t channels = static_cast<size_t>(shape.head_dim);
    for (size_t i = 0; i < plain.size(); ++i)
      expected.push_back(plain[i] *
                         ref::SigmoidOne(gates[(i / channels * 2 + 1) * channels + i % channels]));
    EXPECT_TRUE(SameBytes(out, expected));
  }
}

// What a block held before must not matter: neither NaN nor infinity after the row's own position.
TEST_P(AttentionTest, MaskedKeysAreNotRead) {
  KernelContext context(backend(), nullptr);
  const AttentionShape shape = Shape(2, 1, 24);
  const TestTokens tokens(shape, 70, 25);
  std::vector<std::vector<float>> outs;
  for (const int fill : {0, 0xff, 0x7f}) {
    TestCache cache(shape, 2, fill);
    outs.push_back(InChunks(context, cache, tokens, 5));
    for (const float x : outs.back()) ASSERT_TRUE(std::isfinite(x));
  }
  EXPECT_TRUE(SameBytes(outs[1], outs[0]));
  EXPECT_TRUE(SameBytes(outs[2], outs[0]));
}

// A NaN that is a key of its own history shows: it is not swallowed by a maximum.
TEST_P(AttentionTest, NanOfOneSequenceStaysThere) {
  KernelContext context(backend(), nullptr);
  const AttentionShape shape = Shape(2, 1, 24);
  TestTokens sick(shape, 70, 26);
  sick.v[3] = NAN;
  TestCache cache(shape, 4);
  const std::vector<float> out = InChunks(context, cache, sick, 0);
  EXPECT_TRUE(std::isnan(out[3]));
  const TestTokens healthy(shape, 70, 27);
  for (const float x : InChunks(context, cache, healthy, 0)) ASSERT_TRUE(std::isfinite(x));
}

TEST_P(AttentionTest, RefusesWhatDoesNotFit) {
  KernelContext context(backend(), nullptr);
  const AttentionShape shape = Shape(3, 1, 8);
  const TestTokens tokens(shape, 70, 31);
  TestCache cache(shape, 2);
  const std::vector<BlockId> blocks = cache.Take(70);
  std::vector<float> memory(70 * 24);
  const auto attend = [&](auto change) {
    AttentionSequence sequence = {0, 70, 0, blocks};
    AttentionPlanArgs of = PlanArgs(context, shape, 70, {&sequence, 1});
    AttentionPlan plan;
    AttentionArgs args = {.plan = &plan,
                          .q = tokens.Q(0, 70),
                          .kv = cache.view(),
                          .scale = kScale,
                          .out = F32(memory.data(), {70, 3, 8})};
    change(args, of, sequence);
    const absl::Status made = plan.Make(of);
    return made.ok() ? Attention(context, args) : made;
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_STATUS(attend([](auto&, auto& p, auto&) { p.num_kv_heads = 2; }), invalid, "no multiple");
  EXPECT_STATUS(attend([](auto&, auto& p, auto&) { p.num_heads = 129; }), invalid, "at most 128");
  EXPECT_STATUS(attend([](auto&, auto& p, auto&) { p.head_dim = 0; }), invalid, "0 channels");
  EXPECT_STATUS(attend([](auto& a, auto&, auto&) { a.plan = nullptr; }), invalid, "no plan");
  EXPECT_STATUS(attend([](auto& a, auto&, auto&) { a.kv.head_dim = 16; }), invalid, "the plan 1");
  EXPECT_STATUS(attend([](auto& a, auto&, auto&) { a.q.dims[2] = 7; }), invalid, "Attention q");
  EXPECT_STATUS(attend([](auto& a, auto&, auto&) { a.out.dims[0] = 69; }), invalid,
                "Attention out");
  EXPECT_STATUS(attend([](auto& a, auto&, auto&) { a.gate = Rows(a.q, 0, 69); }), invalid,
                "Attention gate");
  EXPECT_STATUS(attend([](auto& a, auto&, auto&) { a.kv.base = nullptr; }), invalid, "no memory");
  EXPECT_STATUS(attend([](auto&, auto&, auto& s) { s.position_begin = 59; }), invalid, "3 needed");
  EXPECT_STATUS(attend([](auto&, auto&, auto& s) { s.position_begin = 1 << 24; }), invalid,
                "outside 0");
  EXPECT_STATUS(attend([](auto&, auto&, auto& s) { s.row_begin = 1; }), invalid,
                "outside the 70 rows");
  EXPECT_OK(attend([](auto&, auto&, auto& s) { s.num_rows = 0; }));
  EXPECT_OK(attend([](auto&, auto&, auto&) {}));
}

// The same number from every ISA, compiler and machine.
TEST_P(AttentionTest, TheDigest) {
  KernelContext context(backend(), nullptr);
  const AttentionShape shape = Shape(4, 2, 40);
  const TestTokens tokens(shape, 333, 32);
  TestCache cache(shape, 6);
  const std::vector<float> out = InChunks(context, cache, tokens, 50);
  EXPECT_EQ(Digest(out), dtype() == DType::kF32 ? 9006613627807545824u : 16928032423956846802u);
}

INSTANTIATE_TEST_SUITE_P(Isas, AttentionTest,
                         ::testing::Combine(::testing::ValuesIn(RunnableBackends()),
                                            ::testing::Values(DType::kF32, DType::kBf16)),
                         NameOfParam);

}  // namespace
}  // namespace atl::kernels
