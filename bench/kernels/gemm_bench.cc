#include <string>

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

// Outputs, depth, type (of DType) of the weights: one row, as a decode step reads them.
template <Backend kPage>
void BM_WeightType(benchmark::State& state) {
  if (!PageRuns(state, kPage)) return;
  const int64_t columns = state.range(0), depth = state.range(1);
  const auto dtype = static_cast<DType>(state.range(2));
  constexpr char kByte = 0x3c;  // a small positive number in every type
  const std::vector<char> weights(static_cast<size_t>(columns * depth) * SizeOf(dtype), kByte);
  const std::vector<float> x(static_cast<size_t>(depth), 0.5f);
  const std::vector<float> scales(
      static_cast<size_t>(NumScaleBlocks(columns) * NumScaleBlocks(depth)), 0.25f);
  std::vector<float> y(static_cast<size_t>(columns));
  KernelContext context(kPage, nullptr);
  WeightView w = TensorView::Dense(weights.data(), dtype, {columns, depth});
  if (dtype == DType::kF8E4m3)
    w.scales = F32(scales.data(), {NumScaleBlocks(columns), NumScaleBlocks(depth)});
  for (auto _ : state) {
    CHECK_OK(Linear(context,
                    {.x = F32(x.data(), {1, depth}), .w = w, .y = F32(y.data(), {1, columns})}));
    benchmark::DoNotOptimize(y.data());
  }
  state.SetLabel(std::string(NameOf(dtype)));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(weights.size()));
}
ATOLL_BENCH_ON_PAGES(BM_WeightType, ArgsProduct({{32768},
                                                 {2048},
                                                 {static_cast<int64_t>(DType::kF32),
                                                  static_cast<int64_t>(DType::kBf16),
                                                  static_cast<int64_t>(DType::kF16),
                                                  static_cast<int64_t>(DType::kF8E4m3)}})
                                        ->Unit(benchmark::kMillisecond));

}  // namespace
}  // namespace atl::kernels
