#include "bench/kernels/pages.h"
#include "kernels/ops/gemm/gemm.h"

namespace atl::kernels {
namespace {

// Rows of x, outputs, depth: bf16 weights of the published model's projections.
template <Backend kPage>
void BM_Linear(benchmark::State& state) {
  if (!PageRuns(state, kPage)) return;
  const int64_t rows = state.range(0), columns = state.range(1), depth = state.range(2);
  const std::vector<Bf16> weights = WeightsOf(static_cast<size_t>(columns * depth));
  const std::vector<float> x(static_cast<size_t>(rows * depth), 0.5f);
  std::vector<float> y(static_cast<size_t>(rows * columns));
  KernelContext context(kPage, nullptr);
  const LinearArgs args{.x = F32(x.data(), {rows, depth}),
                        .w = TensorView::Dense(weights.data(), DType::kBf16, {columns, depth}),
                        .y = F32(y.data(), {rows, columns})};
  for (auto _ : state) {
    CHECK_OK(Linear(context, args));
    benchmark::DoNotOptimize(y.data());
  }
  const double products = static_cast<double>(rows * columns * depth);
  state.counters["flop"] =
      benchmark::Counter(2.0 * products, benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * columns * depth * 2);
}
// Decode and prefill: in_proj_qkv, and a slice of the head that no cache holds.
ATOLL_BENCH_ON_PAGES(BM_Linear, Args({1, 8192, 2048})
                                    ->Args({1, 32768, 2048})
                                    ->Args({8, 8192, 2048})
                                    ->Args({192, 2048, 2048})
                                    ->Unit(benchmark::kMillisecond));

}  // namespace
}  // namespace atl::kernels
