#include "bench/kernels/kernel_bench.h"
#include "kernels/ops/kv_write/kv_write.h"
#include "kernels/tensor/buffer.h"

namespace atl::kernels {
namespace {

// Sequences, new rows of each, KV heads, head size: rows behind 4,000 committed ones, bf16.
void BenchKvWrite(KernelBench& bench) {
  constexpr int64_t kDepth = 4000;
  const auto num_sequences = static_cast<int>(bench.shape(0));
  const auto num_rows = static_cast<int>(bench.shape(1));
  const auto heads = static_cast<int>(bench.shape(2)), dim = static_cast<int>(bench.shape(3));
  const auto blocks_each = static_cast<size_t>((kDepth + num_rows - 1) / kBlockTokens + 1);
  const int64_t block_bytes = KvLayerView::BytesPerBlock(heads, dim, DType::kBf16);
  std::vector<BlockId> blocks(blocks_each * static_cast<size_t>(num_sequences));
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = BlockId{static_cast<int32_t>(i)};
  const Buffer cache(blocks.size() * static_cast<size_t>(block_bytes));
  std::vector<AttentionSequence> sequences;
  for (int i = 0; i < num_sequences; ++i) {
    sequences.push_back(
        {.row_begin = i * num_rows,
         .num_rows = num_rows,
         .position_begin = kDepth,
         .blocks = std::span(blocks).subspan(static_cast<size_t>(i) * blocks_each, blocks_each)});
  }
  const int64_t rows = int64_t{num_sequences} * num_rows;
  const std::vector<float> k = FloatsOf(rows * heads * dim);
  const KvWriteArgs args{.k = F32(k.data(), {rows, heads, dim}),
                         .v = F32(k.data(), {rows, heads, dim}),
                         .kv = {.base = cache.data(),
                                .block_stride_bytes = block_bytes,
                                .num_kv_heads = heads,
                                .head_dim = dim},
                         .sequences = sequences};
  bench.Measure([&] { return KvWrite(bench.context(), args); });
}
ATOLL_KERNEL_BENCH(kv_write, BenchKvWrite, {"sequences", "rows", "heads", "dim"},
                   {{1, 1, 2, 256}, {64, 1, 2, 256}, {1, 512, 2, 256}, {3, 17, 1, 48}});

}  // namespace
}  // namespace atl::kernels
