#include "bench/kernels/pages.h"
#include "kernels/ops/activation/activation.h"

namespace atl::kernels {
namespace {

using Pairwise = absl::Status (*)(KernelContext&, const PairwiseArgs&);

template <Pairwise kOperator>
void BenchPairwise(KernelBench& bench) {
  const int64_t rows = bench.shape(0), columns = bench.shape(1);
  const std::vector<float> a = FloatsOf(rows * columns), b = FloatsOf(rows * columns);
  std::vector<float> out(a.size());
  const PairwiseArgs args{.a = F32(a.data(), {rows, columns}),
                          .b = F32(b.data(), {rows, columns}),
                          .out = F32(out.data(), {rows, columns})};
  bench.Measure([&] { return kOperator(bench.context(), args); });
}
// An expert's width, the residual stream, and an odd one.
ATOLL_KERNEL_BENCH(silu_mul, BenchPairwise<SiluMul>, {"rows", "columns"},
                   {{1, 512}, {512, 512}, {7, 33}});
ATOLL_KERNEL_BENCH(add, BenchPairwise<Add>, {"rows", "columns"}, {{1, 2048}, {512, 2048}, {7, 33}});

}  // namespace
}  // namespace atl::kernels
