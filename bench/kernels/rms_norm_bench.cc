#include "bench/kernels/pages.h"
#include "kernels/ops/rms_norm/rms_norm.h"

namespace atl::kernels {
namespace {

// Rows of 2048 with a bf16 weight: the norms in front of every mixer and MoE block.
template <Backend kPage>
void BM_RmsNorm(benchmark::State& state) {
  if (!PageRuns(state, kPage)) return;
  const int64_t rows = state.range(0);
  constexpr int64_t kHidden = 2048;
  const std::vector<Bf16> weight = WeightsOf(kHidden);
  const std::vector<float> x(static_cast<size_t>(rows * kHidden), 0.5f);
  std::vector<float> y(x.size());
  KernelContext context(kPage, nullptr);
  const RmsNormArgs args{.x = F32(x.data(), {rows, kHidden}),
                         .weight = TensorView::Dense(weight.data(), DType::kBf16, {kHidden}),
                         .y = F32(y.data(), {rows, kHidden})};
  for (auto _ : state) {
    CHECK_OK(RmsNorm(context, args));
    benchmark::DoNotOptimize(y.data());
  }
  state.SetBytesProcessed(state.iterations() * rows * kHidden * 8);
}
ATOLL_BENCH_ON_PAGES(BM_RmsNorm, Arg(1)->Arg(64)->Unit(benchmark::kMicrosecond));

}  // namespace
}  // namespace atl::kernels
