// Where one attention layer's K and V of one block stand. Blocks are 64 tokens; K stands
// channel-major so that lanes are keys, V key-major so that lanes are channels. Shared by kv_write,
// attention and the cache.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/kv_block.h"
#include "kernels/tensor/dtype.h"

namespace atl::kernels {

// Blocks of a span, the leaf of the merge tree: 4,096 tokens.
inline constexpr int kSpanBlocks = 64;

// One layer's part of every block. Block b stands at base + b · block_stride_bytes and holds, for
// each KV head in turn, K as D × 64 and V as 64 × D.
struct KvLayerView {
  std::byte* base = nullptr;
  int64_t block_stride_bytes = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
  DType dtype = DType::kBf16;

  static int64_t BytesPerBlock(int num_kv_heads, int head_dim, DType dtype) {
    return int64_t{2} * num_kv_heads * head_dim * kBlockTokens *
           static_cast<int64_t>(SizeOf(dtype));
  }
  std::byte* Keys(int32_t block, int kv_head) const {
    return base + block * block_stride_bytes +
           int64_t{2} * kv_head * head_dim * kBlockTokens * static_cast<int64_t>(SizeOf(dtype));
  }
  std::byte* Values(int32_t block, int kv_head) const {
    return Keys(block, kv_head) +
           int64_t{head_dim} * kBlockTokens * static_cast<int64_t>(SizeOf(dtype));
  }
};

}  // namespace atl::kernels
