// The canonical order written out, and what the tests of attention share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "kernels/ops/attention/attention.h"
#include "tests/kernels/ops/kv_fixture.h"

namespace atl::kernels {

// A partial softmax, as plain numbers.
struct Node {
  float max = 0.0f;
  float sum = 0.0f;
  std::vector<float> acc;
};

inline Node Merge(const Node& a, const Node& b) {
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

inline constexpr float kScale = 0.23f;

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
  // NOLINTNEXTLINE(readability-function-size): the arguments of the operator itself
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

  // Writes and attends chunk by chunk, as a server does.
  static std::vector<float> InChunks(KernelContext& context, TestCache& cache,
                                     const TestTokens& tokens, int chunk) {
    const std::vector<BlockId> blocks = cache.Take(tokens.count);
    std::vector<float> out;
    int begin = 0;
    for (const int rows : Chunks(tokens.count, chunk)) {
      Write(cache, tokens, blocks, begin, rows);
      const std::vector<float> some = Attend(context, cache, tokens, blocks, begin, rows);
      out.insert(out.end(), some.begin(), some.end());
      begin += rows;
    }
    return out;
  }

  // NOLINTNEXTLINE(readability-function-size): as Attend, and the order of additions
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

}  // namespace atl::kernels
