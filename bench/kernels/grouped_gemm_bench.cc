#include "bench/kernels/cold_weights.h"
#include "bench/kernels/kernel_bench.h"
#include "kernels/ops/grouped_gemm/grouped_gemm.h"

namespace atl::kernels {
namespace {

// Experts touched, rows of each, hidden, intermediate; bf16 rows.
template <WeightLayout kLayout>
void BenchGroupedSwiGlu(KernelBench& bench) {
  const auto num_experts = static_cast<int>(bench.shape(0));
  const auto rows_each = static_cast<int>(bench.shape(1));
  const auto hidden = static_cast<int>(bench.shape(2));
  const auto intermediate = static_cast<int>(bench.shape(3));
  const int num_rows = num_experts * rows_each;
  ColdWeights into(intermediate, hidden, DType::kBf16, kLayout);
  ColdWeights out_of(hidden, intermediate, DType::kBf16, kLayout);
  const std::vector<Bf16> rows = WeightsOf(static_cast<size_t>(num_rows) * bench.shape(2));
  std::vector<Bf16> out(rows.size());
  std::vector<float> workspace(static_cast<size_t>(num_rows) * bench.shape(3));
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (int64_t p = 0; p < num_rows; ++p) {
    inputs.push_back(rows.data() + p * hidden);
    outputs.push_back(out.data() + p * hidden);
  }
  std::vector<ExpertRows> experts(static_cast<size_t>(num_experts));
  const GroupedSwiGluArgs args{.experts = experts,
                               .inputs = inputs,
                               .outputs = outputs,
                               .exchange_dtype = DType::kBf16,
                               .hidden = hidden,
                               .intermediate = intermediate,
                               .workspace = F32(workspace.data(), {num_rows, intermediate})};
  bench.Measure([&] {
    for (int e = 0; e < num_experts; ++e) {
      experts[static_cast<size_t>(e)] = {
          {into.Next(), into.Next(), out_of.Next()}, e * rows_each, rows_each};
    }
    return GroupedSwiGlu(bench.context(), args);
  });
}
// One decoded token, with the shared expert and without; a batch of 16; 512 tokens of a prompt.
const std::vector<std::vector<int64_t>> kShapes = {{8, 1, 2048, 512},
                                                   {9, 1, 2048, 512},
                                                   {100, 1, 2048, 512},
                                                   {256, 16, 2048, 512},
                                                   {5, 3, 72, 40}};
ATOLL_KERNEL_BENCH(grouped_gemm, BenchGroupedSwiGlu<WeightLayout::kRowMajor>,
                   {"experts", "rows", "hidden", "intermediate"}, kShapes);
ATOLL_KERNEL_BENCH(grouped_gemm_packed, BenchGroupedSwiGlu<WeightLayout::kPanels>,
                   {"experts", "rows", "hidden", "intermediate"}, kShapes);

}  // namespace
}  // namespace atl::kernels
