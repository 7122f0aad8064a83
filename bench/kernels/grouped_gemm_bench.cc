#include "bench/kernels/pages.h"
#include "kernels/ops/grouped_gemm/grouped_gemm.h"

namespace atl::kernels {
namespace {

// Experts touched and rows of each; hidden 2048, intermediate 512, bf16 weights and rows.
template <Backend kPage>
void BM_GroupedSwiGlu(benchmark::State& state) {
  if (!PageRuns(state, kPage)) return;
  constexpr int kHidden = 2048, kIntermediate = 512;
  const int num_experts = static_cast<int>(state.range(0));
  const int rows_each = static_cast<int>(state.range(1));
  const int num_rows = num_experts * rows_each;
  constexpr size_t kWeights = size_t{3} * kHidden * kIntermediate;
  const std::vector<Bf16> weights = WeightsOf(static_cast<size_t>(num_experts) * kWeights);
  const std::vector<Bf16> rows = WeightsOf(static_cast<size_t>(num_rows) * kHidden);
  std::vector<Bf16> out(rows.size());
  std::vector<float> workspace(static_cast<size_t>(num_rows) * kIntermediate);
  std::vector<ExpertRows> experts;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (int e = 0; e < num_experts; ++e) {
    const Bf16* w = weights.data() + static_cast<size_t>(e) * kWeights;
    experts.push_back(
        {{TensorView::Dense(w, DType::kBf16, {kIntermediate, kHidden}),
          TensorView::Dense(w + kIntermediate * kHidden, DType::kBf16, {kIntermediate, kHidden}),
          TensorView::Dense(w + 2 * kIntermediate * kHidden, DType::kBf16,
                            {kHidden, kIntermediate})},
         e * rows_each,
         rows_each});
  }
  for (size_t p = 0; p < static_cast<size_t>(num_rows); ++p) {
    inputs.push_back(rows.data() + p * kHidden);
    outputs.push_back(out.data() + p * kHidden);
  }
  KernelContext context(kPage, nullptr);
  for (auto _ : state) {
    CHECK_OK(
        GroupedSwiGlu(context, {.experts = experts,
                                .inputs = inputs,
                                .outputs = outputs,
                                .exchange_dtype = DType::kBf16,
                                .hidden = kHidden,
                                .intermediate = kIntermediate,
                                .workspace = F32(workspace.data(), {num_rows, kIntermediate})}));
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["flop"] = benchmark::Counter(2.0 * static_cast<double>(kWeights) * num_rows,
                                              benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kWeights) * 2 * num_experts);
}
// One decoded token (eight experts), and a prefill share of 24 rows each.
ATOLL_BENCH_ON_PAGES(BM_GroupedSwiGlu, Args({8, 1})->Args({8, 24})->Unit(benchmark::kMillisecond));

}  // namespace
}  // namespace atl::kernels
