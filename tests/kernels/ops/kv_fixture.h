// A cache of one layer whose blocks stand in a shuffled order, for the tests of kv_write and
// attention.
#pragma once

#include <numeric>
#include <vector>

#include "common/base/ids.h"
#include "kernels/ops/attention/attention.h"
#include "kernels/ops/kv_write/kv_write.h"
#include "tests/kernels/ops/sequence_fixtures.h"
#include "tests/support/status_matchers.h"

namespace atl::kernels {

struct AttentionShape {
  int heads, kv_heads, head_dim;
  DType dtype;
};

class TestCache {
 public:
  // `fill`: the byte that every block holds at first; 0xff gives NaN in both types.
  TestCache(const AttentionShape& shape, int num_blocks, int fill = 0)
      : stride_(KvLayerView::BytesPerBlock(shape.kv_heads, shape.head_dim, shape.dtype) + 64),
        bytes_(static_cast<size_t>(num_blocks * stride_), static_cast<std::byte>(fill)),
        view_{bytes_.data(), stride_, shape.kv_heads, shape.head_dim, shape.dtype} {
    Numbers numbers(99);
    for (int i = 0; i < num_blocks; ++i) free_.push_back(BlockId{i});
    for (int i = num_blocks - 1; i > 0; --i)
      std::swap(free_[static_cast<size_t>(i)], free_[static_cast<size_t>(numbers.Below(i + 1))]);
  }
  TestCache(const TestCache&) = delete;

  std::vector<BlockId> Take(int64_t tokens) {
    std::vector<BlockId> blocks;
    for (int64_t held = 0; held < tokens; held += kBlockTokens) {
      blocks.push_back(free_.back());
      free_.pop_back();
    }
    return blocks;
  }

  float Element(const std::byte* base, int64_t index) const {
    if (view_.dtype == DType::kBf16) return ToFloat(reinterpret_cast<const Bf16*>(base)[index]);
    return reinterpret_cast<const float*>(base)[index];
  }
  float Key(const std::vector<BlockId>& blocks, int64_t position, int head, int channel) const {
    const int32_t block = Value(blocks[static_cast<size_t>(position / kBlockTokens)]);
    return Element(view_.Keys(block, head), channel * kBlockTokens + position % kBlockTokens);
  }
  float ValueOf(const std::vector<BlockId>& blocks, int64_t position, int head, int channel) const {
    const int32_t block = Value(blocks[static_cast<size_t>(position / kBlockTokens)]);
    return Element(view_.Values(block, head), position % kBlockTokens * view_.head_dim + channel);
  }

  const KvLayerView& view() const { return view_; }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  int64_t stride_;
  std::vector<std::byte> bytes_;
  KvLayerView view_;
  std::vector<BlockId> free_;
};

// q, k and v of the tokens of one sequence.
struct TestTokens {
  TestTokens(const AttentionShape& shape_of, int count_of, uint64_t seed)
      : shape(shape_of), count(count_of) {
    Numbers numbers(seed);
    q = numbers.Many(int64_t{count} * shape.heads * shape.head_dim, 2.0f);
    k = numbers.Many(int64_t{count} * shape.kv_heads * shape.head_dim, 2.0f);
    v = numbers.Many(int64_t{count} * shape.kv_heads * shape.head_dim);
  }
  TensorView Q(int begin, int rows) const {
    return F32(q.data() + int64_t{begin} * shape.heads * shape.head_dim,
               {rows, shape.heads, shape.head_dim});
  }
  TensorView K(int begin, int rows) const { return OfKv(k, begin, rows); }
  TensorView V(int begin, int rows) const { return OfKv(v, begin, rows); }
  TensorView OfKv(const std::vector<float>& of, int begin, int rows) const {
    return F32(of.data() + int64_t{begin} * shape.kv_heads * shape.head_dim,
               {rows, shape.kv_heads, shape.head_dim});
  }

  AttentionShape shape;
  int count;
  std::vector<float> q, k, v;
};

}  // namespace atl::kernels
