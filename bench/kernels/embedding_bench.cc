#include <cstring>

#include "bench/kernels/kernel_bench.h"
#include "kernels/ops/embedding/embedding.h"
#include "kernels/tensor/buffer.h"

namespace atl::kernels {
namespace {

constexpr int64_t kVocab = 248'320;

// Rows from all over a table in bf16.
void BenchEmbedding(KernelBench& bench) {
  const int64_t rows = bench.shape(0), hidden = bench.shape(1);
  const size_t row_bytes = static_cast<size_t>(hidden) * sizeof(Bf16);
  const Buffer table(static_cast<size_t>(kVocab) * row_bytes);
  std::vector<TokenId> ids(static_cast<size_t>(rows));
  for (size_t i = 0; i < ids.size(); ++i) {
    const size_t id = i * 7919 % static_cast<size_t>(kVocab);
    std::memset(table.data() + id * row_bytes, 1, row_bytes);
    ids[i] = TokenId{static_cast<int32_t>(id)};
  }
  std::vector<float> out(static_cast<size_t>(rows * hidden));
  const EmbeddingArgs args{.table = TensorView::Dense(table.data(), DType::kBf16, {kVocab, hidden}),
                           .ids = ids,
                           .out = F32(out.data(), {rows, hidden})};
  bench.Measure([&] { return Embedding(bench.context(), args); });
}
ATOLL_KERNEL_BENCH(embedding, BenchEmbedding, {"rows", "hidden"},
                   {{1, 2048}, {64, 2048}, {512, 2048}, {17, 100}});

}  // namespace
}  // namespace atl::kernels
