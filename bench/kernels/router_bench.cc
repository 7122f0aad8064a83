#include "bench/kernels/kernel_bench.h"
#include "kernels/ops/router_topk/router_topk.h"

namespace atl::kernels {
namespace {

void BenchRouterTopk(KernelBench& bench) {
  const int64_t rows = bench.shape(0), experts = bench.shape(1);
  const auto k = static_cast<int>(bench.shape(2));
  const std::vector<float> logits = FloatsOf(rows * experts);
  std::vector<uint16_t> chosen(static_cast<size_t>(rows * k));
  std::vector<float> weights(chosen.size());
  const RouterTopkArgs args{
      .logits = F32(logits.data(), {rows, experts}), .k = k, .experts = chosen, .weights = weights};
  bench.Measure([&] { return RouterTopk(bench.context(), args); });
}
ATOLL_KERNEL_BENCH(router_topk, BenchRouterTopk, {"rows", "experts", "k"},
                   {{1, 256, 8}, {64, 256, 8}, {512, 256, 8}, {7, 60, 4}});

}  // namespace
}  // namespace atl::kernels
