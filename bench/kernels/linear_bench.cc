#include "bench/kernels/cold_weights.h"
#include "bench/kernels/kernel_bench.h"
#include "kernels/ops/gemm/gemm.h"

namespace atl::kernels {
namespace {

using Shapes = std::vector<std::vector<int64_t>>;

template <DType kType, WeightLayout kLayout>
void BenchLinear(KernelBench& bench) {
  const int64_t rows = bench.shape(0), outputs = bench.shape(1), depth = bench.shape(2);
  ColdWeights weights(outputs, depth, kType, kLayout);
  const std::vector<float> x = FloatsOf(rows * depth);
  std::vector<float> y(static_cast<size_t>(rows * outputs));
  bench.Measure([&] {
    return Linear(bench.context(), {.x = F32(x.data(), {rows, depth}),
                                    .w = weights.Next(),
                                    .y = F32(y.data(), {rows, outputs})});
  });
}

// The largest and the smallest projection into a mixer, the one out of it, and the head; one row,
// batches, a chunk of a prompt. Then odd ones.
const Shapes kShapes = {{1, 8192, 2048},  {1, 512, 2048},     {1, 2048, 4096},  {1, 248320, 2048},
                        {16, 8192, 2048}, {16, 248320, 2048}, {64, 8192, 2048}, {512, 8192, 2048},
                        {512, 512, 2048}, {512, 2048, 4096},  {7, 1000, 333},   {13, 33, 70}};
ATOLL_KERNEL_BENCH(linear, (BenchLinear<DType::kBf16, WeightLayout::kRowMajor>),
                   {"rows", "outputs", "depth"}, kShapes);
ATOLL_KERNEL_BENCH(linear_packed, (BenchLinear<DType::kBf16, WeightLayout::kPanels>),
                   {"rows", "outputs", "depth"}, kShapes);

// The other types of a file are widened on the way.
const Shapes kShapesOfOthers = {{1, 8192, 2048}, {16, 8192, 2048}, {192, 2048, 2048}};
ATOLL_KERNEL_BENCH(linear_float32, (BenchLinear<DType::kF32, WeightLayout::kRowMajor>),
                   {"rows", "outputs", "depth"}, kShapesOfOthers);
ATOLL_KERNEL_BENCH(linear_float16, (BenchLinear<DType::kF16, WeightLayout::kRowMajor>),
                   {"rows", "outputs", "depth"}, kShapesOfOthers);
ATOLL_KERNEL_BENCH(linear_fp8, (BenchLinear<DType::kF8E4m3, WeightLayout::kRowMajor>),
                   {"rows", "outputs", "depth"}, kShapesOfOthers);

// Everything that a mixer asks of the same rows.
void BenchGroup(KernelBench& bench, const std::vector<int64_t>& outputs) {
  constexpr int64_t kHidden = 2048;
  const int64_t rows = bench.shape(0);
  const std::vector<float> x = FloatsOf(rows * kHidden);
  std::vector<ColdWeights> weights;
  std::vector<std::vector<float>> y;
  for (const int64_t columns : outputs) {
    weights.emplace_back(columns, kHidden, DType::kBf16, WeightLayout::kPanels);
    y.emplace_back(static_cast<size_t>(rows * columns));
  }
  std::vector<LinearOutput> layers(outputs.size());
  bench.Measure([&] {
    for (size_t i = 0; i < layers.size(); ++i)
      layers[i] = {.w = weights[i].Next(), .y = F32(y[i].data(), {rows, outputs[i]})};
    return LinearGroup(bench.context(), {.x = F32(x.data(), {rows, kHidden}), .outputs = layers});
  });
}
void BenchDeltaIn(KernelBench& bench) { BenchGroup(bench, {8192, 4096, 32, 32}); }
ATOLL_KERNEL_BENCH(linear_group_delta, BenchDeltaIn, {"rows"}, {{1}, {16}, {512}});
void BenchAttentionIn(KernelBench& bench) { BenchGroup(bench, {8192, 512, 512}); }
ATOLL_KERNEL_BENCH(linear_group_attention, BenchAttentionIn, {"rows"}, {{1}, {16}, {512}});

}  // namespace
}  // namespace atl::kernels
