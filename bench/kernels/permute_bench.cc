#include "bench/kernels/kernel_bench.h"
#include "kernels/ops/permute/permute.h"

namespace atl::kernels {
namespace {

// Every row rounded to bf16, as it leaves for experts.
void BenchRoundRows(KernelBench& bench) {
  const int64_t rows = bench.shape(0), hidden = bench.shape(1);
  const std::vector<float> x = FloatsOf(rows * hidden);
  std::vector<Bf16> out(x.size());
  std::vector<int32_t> sources;
  std::vector<void*> outputs;
  for (int64_t row = 0; row < rows; ++row) {
    sources.push_back(static_cast<int32_t>(row));
    outputs.push_back(out.data() + row * hidden);
  }
  const RoundRowsArgs args{
      .x = F32(x.data(), {rows, hidden}), .source_rows = sources, .outputs = outputs};
  bench.Measure([&] { return RoundRows(bench.context(), args); });
}
ATOLL_KERNEL_BENCH(round_rows, BenchRoundRows, {"rows", "hidden"},
                   {{1, 2048}, {64, 2048}, {512, 2048}, {7, 100}});

// Eight experts' outputs of each row and the shared one's, added to the residual stream.
void BenchCombine(KernelBench& bench) {
  constexpr int kChosen = 8;
  const int64_t rows = bench.shape(0), hidden = bench.shape(1);
  const std::vector<float> shared = FloatsOf(rows * hidden), gate = FloatsOf(rows);
  std::vector<float> stream(shared.size());
  const std::vector<Bf16> returned = WeightsOf(shared.size() * kChosen);
  const std::vector<float> weights(static_cast<size_t>(rows * kChosen), 0.125f);
  std::vector<const void*> expert_rows;
  for (int64_t p = 0; p < rows * kChosen; ++p) expert_rows.push_back(returned.data() + p * hidden);
  const CombineArgs args{.hidden = F32(stream.data(), {rows, hidden}),
                         .shared = F32(shared.data(), {rows, hidden}),
                         .shared_gate = F32(gate.data(), {rows, 1}),
                         .expert_rows = expert_rows,
                         .weights = weights,
                         .k = kChosen};
  bench.Measure([&] { return Combine(bench.context(), args); });
}
ATOLL_KERNEL_BENCH(combine, BenchCombine, {"rows", "hidden"},
                   {{1, 2048}, {64, 2048}, {512, 2048}, {7, 100}});

}  // namespace
}  // namespace atl::kernels
