#include "bench/kernels/kernel_bench.h"
#include "kernels/ops/rms_norm/rms_norm.h"

namespace atl::kernels {
namespace {

// The norms in front of every mixer and MoE block, and those of query and key heads.
void BenchRmsNorm(KernelBench& bench) {
  const int64_t rows = bench.shape(0), width = bench.shape(1);
  const std::vector<Bf16> weight = WeightsOf(static_cast<size_t>(width));
  const std::vector<float> x = FloatsOf(rows * width);
  std::vector<float> y(x.size());
  const RmsNormArgs args{.x = F32(x.data(), {rows, width}),
                         .weight = TensorView::Dense(weight.data(), DType::kBf16, {width}),
                         .y = F32(y.data(), {rows, width})};
  bench.Measure([&] { return RmsNorm(bench.context(), args); });
}
ATOLL_KERNEL_BENCH(rms_norm, BenchRmsNorm, {"rows", "width"},
                   {{1, 2048}, {64, 2048}, {512, 2048}, {16, 256}, {8192, 256}, {7, 100}});

// The residual stream takes a mixer's output and is normed in one pass.
void BenchAddRmsNorm(KernelBench& bench) {
  const int64_t rows = bench.shape(0), width = bench.shape(1);
  const std::vector<Bf16> weight = WeightsOf(static_cast<size_t>(width));
  const std::vector<float> added(static_cast<size_t>(rows * width), 0.0f);
  std::vector<float> x = FloatsOf(rows * width), y(x.size());
  const AddRmsNormArgs args{.x = F32(x.data(), {rows, width}),
                            .added = F32(added.data(), {rows, width}),
                            .weight = TensorView::Dense(weight.data(), DType::kBf16, {width}),
                            .y = F32(y.data(), {rows, width})};
  bench.Measure([&] { return AddRmsNorm(bench.context(), args); });
}
ATOLL_KERNEL_BENCH(add_rms_norm, BenchAddRmsNorm, {"rows", "width"},
                   {{1, 2048}, {64, 2048}, {512, 2048}, {7, 100}});

}  // namespace
}  // namespace atl::kernels
