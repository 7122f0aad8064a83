#include <cstring>
#include <numeric>

#include "bench/kernels/kernel_bench.h"
#include "kernels/ops/attention/attention.h"
#include "kernels/tensor/buffer.h"

namespace atl::kernels {
namespace {

// The published shape.
constexpr int kHeads = 16, kKvHeads = 2, kHeadDim = 256;

// Caches of sequences of one depth, their blocks scattered over the pool, and rows of queries.
class Fixture {
 public:
  Fixture(int num_sequences, int num_rows, int64_t depth)
      : blocks_of_each_((depth + num_rows + kBlockTokens - 1) / kBlockTokens),
        kv_(static_cast<size_t>(num_sequences * blocks_of_each_ * kBlockBytes)),
        q_(static_cast<size_t>(num_sequences * num_rows * kHeads * kHeadDim), 0.03f),
        out_(q_.size()),
        blocks_(static_cast<size_t>(num_sequences * blocks_of_each_)) {
    const std::vector<Bf16> numbers = WeightsOf(1 << 15);
    for (size_t at = 0; at < kv_.size_bytes(); at += numbers.size() * sizeof(Bf16))
      std::memcpy(kv_.data() + at, numbers.data(), numbers.size() * sizeof(Bf16));
    for (size_t i = 0; i < q_.size(); ++i) q_[i] *= static_cast<float>(i % 17) - 8.0f;
    // A step that has no divisor in common with the number of blocks visits each once.
    int64_t step = 37;
    while (std::gcd(step, static_cast<int64_t>(blocks_.size())) != 1) ++step;
    for (size_t i = 0; i < blocks_.size(); ++i)
      blocks_[i] = BlockId{static_cast<int32_t>(static_cast<int64_t>(i) * step %
                                                static_cast<int64_t>(blocks_.size()))};
    for (int i = 0; i < num_sequences; ++i)
      sequences_.push_back(
          {.row_begin = i * num_rows,
           .num_rows = num_rows,
           .position_begin = depth,
           .blocks = std::span(blocks_).subspan(static_cast<size_t>(i * blocks_of_each_),
                                                static_cast<size_t>(blocks_of_each_))});
  }

  int64_t num_rows() const { return static_cast<int64_t>(q_.size()) / (kHeads * kHeadDim); }
  AttentionPlanArgs plan_args(int num_threads) const {
    return {.num_heads = kHeads,
            .num_kv_heads = kKvHeads,
            .head_dim = kHeadDim,
            .num_rows = static_cast<int>(num_rows()),
            .num_threads = num_threads,
            .sequences = sequences_};
  }
  AttentionArgs args(const AttentionPlan& plan) const {
    const int64_t rows = num_rows();
    return {.plan = &plan,
            .q = F32(q_.data(), {rows, kHeads, kHeadDim}),
            .kv = {.base = kv_.data(),
                   .block_stride_bytes = kBlockBytes,
                   .num_kv_heads = kKvHeads,
                   .head_dim = kHeadDim,
                   .dtype = DType::kBf16},
            .scale = 0.0625f,
            .out = F32(out_.data(), {rows, kHeads, kHeadDim})};
  }

 private:
  static constexpr int64_t kBlockBytes = int64_t{4} * kKvHeads * kHeadDim * kBlockTokens;
  int64_t blocks_of_each_;
  Buffer kv_;
  std::vector<float> q_, out_;
  std::vector<BlockId> blocks_;
  std::vector<AttentionSequence> sequences_;
};

// Sequences, new rows of each, depth before them.
void BenchAttention(KernelBench& bench) {
  const Fixture fixture(static_cast<int>(bench.shape(0)), static_cast<int>(bench.shape(1)),
                        bench.shape(2));
  AttentionPlan plan;
  CHECK_OK(plan.Make(fixture.plan_args(bench.context().num_threads())));
  const AttentionArgs args = fixture.args(plan);
  bench.Measure([&] { return Attention(bench.context(), args); });
}
ATOLL_KERNEL_BENCH(attention, BenchAttention, {"sequences", "rows", "depth"},
                   {{1, 1, 1024},
                    {1, 1, 8192},
                    {1, 1, 32768},
                    {4, 1, 8192},
                    {16, 1, 1024},
                    {16, 1, 8192},
                    {1, 128, 0},
                    {1, 512, 0},
                    {3, 7, 1001}});

}  // namespace
}  // namespace atl::kernels
