#include "kernels/ops/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "tests/kernels/kv_fixture.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

// A partial softmax, as plain numbers.
struct Node {
  float max = 0.0f;
  float sum = 0.0f;
  std::vector<float> acc;
};

Node Merge(const Node& a, const Node& b) {
  Node result;
  result.max = a.max > b.max ? a.max : b.max;
  const float u = ref::ExpOne(a.max - result.max), w = ref::ExpOne(b.max - result.max);
  result.sum = ref::FmaOne(b.sum, w, a.sum * u);
  for (size_t c = 0; c < a.acc.size(); ++c)
    result.acc.push_back(ref::FmaOne(b.acc[c], w, a.acc[c] * u));
  return result;
}

// The canonical order, written out once more without tiles, counters or vectors; and orders that
// would be mistakes.
enum class Order { kCanonical, kSpansLeftToRight, kNoSpans, kStackFoldedFromOldest, kOneMaximum };

class PlainAttention {
 public:
  PlainAttention(const TestCache& cache, const std::vector<BlockId>& blocks, Order order)
      : cache_(cache), blocks_(blocks), order_(order) {}

  std::vector<float> Row(const float* q, int kv_head, int64_t position, float scale) const {
    std::vector<Node> spans;
    const int64_t last_block = position / kBlockTokens;
    for (int64_t b = 0; b <= last_block; ++b) {
      const Node block = Block(q, kv_head, b, position, scale);
      if (b % kSpanBlocks == 0 && order_ != Order::kNoSpans) {
        spans.push_back(block);
      } else if (spans.empty()) {
        spans.push_back(block);
      } else {
        spans.back() = Merge(spans.back(), block);
      }
    }
    const Node whole = Fold(spans);
    std::vector<float> out;
    for (const float x : whole.acc) out.push_back(x / whole.sum);
    return out;
  }

 private:
  float Score(const float* q, int kv_head, int64_t key, float scale) const {
    float s = 0.0f;
    for (int d = 0; d < cache_.view().head_dim; ++d)
      s = ref::FmaOne(q[d], cache_.Key(blocks_, key, kv_head, d), s);
    return s * scale;
  }

  Node Block(const float* q, int kv_head, int64_t b, int64_t position, float scale) const {
    const int64_t first = b * kBlockTokens;
    const int keys = static_cast<int>(std::min<int64_t>(kBlockTokens, position - first + 1));
    std::vector<float> s;
    for (int i = 0; i < keys; ++i) s.push_back(Score(q, kv_head, first + i, scale));
    Node node;
    node.max = *std::max_element(s.begin(), s.end());
    if (order_ == Order::kOneMaximum) node.max += 1.0f;
    float lanes[16] = {};
    for (int i = 0; i < keys; ++i) {
      s[static_cast<size_t>(i)] = ref::ExpOne(s[static_cast<size_t>(i)] - node.max);
      lanes[i % 16] += s[static_cast<size_t>(i)];
    }
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    node.sum = lanes[0];
    node.acc.resize(static_cast<size_t>(cache_.view().head_dim));
    for (size_t c = 0; c < node.acc.size(); ++c) {
      for (int i = 0; i < keys; ++i) {
        const float v = cache_.ValueOf(blocks_, first + i, kv_head, static_cast<int>(c));
        node.acc[c] = ref::FmaOne(s[static_cast<size_t>(i)], v, node.acc[c]);
      }
    }
    return node;
  }

  // node(level, i) of the tree over the finished spans; the largest complete subtrees, then folded
  // from the newest.
  Node Tree(const std::vector<Node>& spans, size_t begin, size_t count) const {
    if (count == 1) return spans[begin];
    return Merge(Tree(spans, begin, count / 2), Tree(spans, begin + count / 2, count / 2));
  }
  Node Fold(const std::vector<Node>& spans) const {
    if (order_ == Order::kSpansLeftToRight) {
      Node whole = spans[0];
      for (size_t i = 1; i < spans.size(); ++i) whole = Merge(whole, spans[i]);
      return whole;
    }
    std::vector<Node> subtrees;
    size_t begin = 0;
    const size_t finished = spans.size() - 1;
    for (size_t size = size_t{1} << 20; size > 0; size /= 2) {
      if ((finished & size) == 0) continue;
      subtrees.push_back(Tree(spans, begin, size));
      begin += size;
    }
    if (order_ == Order::kStackFoldedFromOldest) {
      subtrees.push_back(spans.back());
      Node whole = subtrees[0];
      for (size_t i = 1; i < subtrees.size(); ++i) whole = Merge(whole, subtrees[i]);
      return whole;
    }
    Node whole = spans.back();
    for (size_t i = subtrees.size(); i-- > 0;) whole = Merge(subtrees[i], whole);
    return whole;
  }

  const TestCache& cache_;
  const std::vector<BlockId>& blocks_;
  Order order_;
};

constexpr float kScale = 0.23f;

class AttentionTest : public ::testing::TestWithParam<std::tuple<Backend, DType>> {
 protected:
  Backend backend() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
  AttentionShape Shape(int heads, int kv_heads, int head_dim) const {
    return {heads, kv_heads, head_dim, dtype()};
  }

  static void Write(const TestCache& cache, const TestTokens& tokens,
                    const std::vector<BlockId>& blocks, int begin, int rows) {
    KernelContext context(*BestBackend(), nullptr);
    const AttentionSequence sequence = {0, rows, begin, blocks};
    ASSERT_OK(KvWrite(context, {.k = tokens.K(begin, rows),
                                .v = tokens.V(begin, rows),
                                .kv = cache.view(),
                                .sequences = {&sequence, 1}}));
  }

  static AttentionPlanArgs PlanArgs(const KernelContext& context, const AttentionShape& shape,
                                    int64_t rows, std::span<const AttentionSequence> sequences) {
    return {.num_heads = shape.heads,
            .num_kv_heads = shape.kv_heads,
            .head_dim = shape.head_dim,
            .num_rows = static_cast<int>(rows),
            .num_threads = context.num_threads(),
            .sequences = sequences};
  }

  // Rows [begin, begin + rows) of the sequence, whose K and V are in the cache.
  static std::vector<float> Attend(KernelContext& context, const TestCache& cache,
                                   const TestTokens& tokens, const std::vector<BlockId>& blocks,
                                   int begin, int rows) {
    std::vector<float> out(static_cast<size_t>(rows * tokens.shape.heads * tokens.shape.head_dim));
    const AttentionSequence sequence = {0, rows, begin, blocks};
    AttentionPlan plan;
    EXPECT_OK(plan.Make(PlanArgs(context, tokens.shape, rows, {&sequence, 1})));
    EXPECT_OK(Attention(
        context, {.plan = &plan,
                  .q = tokens.Q(begin, rows),
                  .kv = cache.view(),
                  .scale = kScale,
                  .out = F32(out.data(), {rows, tokens.shape.heads, tokens.shape.head_dim})}));
    return out;
  }

  // Writes and attends piece by piece, as a server does.
  static std::vector<float> InPieces(KernelContext& context, TestCache& cache,
                                     const TestTokens& tokens, int piece) {
    const std::vector<BlockId> blocks = cache.Take(tokens.count);
    std::vector<float> out;
    int begin = 0;
    for (const int rows : Pieces(tokens.count, piece)) {
      Write(cache, tokens, blocks, begin, rows);
      const std::vector<float> some = Attend(context, cache, tokens, blocks, begin, rows);
      out.insert(out.end(), some.begin(), some.end());
      begin += rows;
    }
    return out;
  }

  static std::vector<float> Plain(const TestCache& cache, const TestTokens& tokens,
                                  const std::vector<BlockId>& blocks, int begin, int rows,
                                  Order order = Order::kCanonical) {
    const PlainAttention plain(cache, blocks, order);
    const AttentionShape& shape = tokens.shape;
    std::vector<float> out;
    for (int row = begin; row < begin + rows; ++row) {
      for (int head = 0; head < shape.heads; ++head) {
        const float* q = tokens.q.data() + (int64_t{row} * shape.heads + head) * shape.head_dim;
        const int kv_head = head / (shape.heads / shape.kv_heads);
        const std::vector<float> some = plain.Row(q, kv_head, row, kScale);
        out.insert(out.end(), some.begin(), some.end());
      }
    }
    return out;
  }
};

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

TEST_P(AttentionTest, PiecesOfAnySizeAndThreads) {
  KernelContext context(backend(), nullptr);
  testing::TestThreads lender(2);
  KernelContext two(backend(), &lender);
  const AttentionShape shape = Shape(6, 2, 24);
  const TestTokens tokens(shape, 270, 24);
  TestCache cache(shape, 5, 0xff);
  const std::vector<float> whole = InPieces(context, cache, tokens, 0);
  for (const int piece : kPieceSizes) {
    TestCache other(shape, 5, 0xff);
    EXPECT_TRUE(SameBytes(InPieces(piece % 2 == 0 ? two : context, other, tokens, piece), whole))
        << "pieces of " << piece;
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

// What a block held before must not matter: neither NaN nor infinity after the row's own position.
TEST_P(AttentionTest, MaskedKeysAreNotRead) {
  KernelContext context(backend(), nullptr);
  const AttentionShape shape = Shape(2, 1, 24);
  const TestTokens tokens(shape, 70, 25);
  std::vector<std::vector<float>> outs;
  for (const int fill : {0, 0xff, 0x7f}) {
    TestCache cache(shape, 2, fill);
    outs.push_back(InPieces(context, cache, tokens, 5));
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
  const std::vector<float> out = InPieces(context, cache, sick, 0);
  EXPECT_TRUE(std::isnan(out[3]));
  const TestTokens healthy(shape, 70, 27);
  for (const float x : InPieces(context, cache, healthy, 0)) ASSERT_TRUE(std::isfinite(x));
}

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

// The same number from every page, compiler and machine.
TEST_P(AttentionTest, TheDigest) {
  KernelContext context(backend(), nullptr);
  const AttentionShape shape = Shape(4, 2, 40);
  const TestTokens tokens(shape, 333, 32);
  TestCache cache(shape, 6);
  const std::vector<float> out = InPieces(context, cache, tokens, 50);
  EXPECT_EQ(Digest(out), dtype() == DType::kF32 ? 9006613627807545824u : 16928032423956846802u);
}

INSTANTIATE_TEST_SUITE_P(Pages, AttentionTest,
                         ::testing::Combine(::testing::ValuesIn(RunnableBackends()),
                                            ::testing::Values(DType::kF32, DType::kBf16)),
                         NameOfParam);

}  // namespace
}  // namespace atl::kernels
