#include "bench/kernels/kernel_bench.h"
#include "kernels/ops/rope/rope.h"

namespace atl::kernels {
namespace {

constexpr int64_t kRotaryDim = 64, kHeadDim = 256;

std::vector<int32_t> PositionsOf(int64_t count) {
  std::vector<int32_t> positions(static_cast<size_t>(count));
  for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int32_t>(i * 97);
  return positions;
}

void BenchRope(KernelBench& bench) {
  const int64_t rows = bench.shape(0), heads = bench.shape(1);
  std::vector<float> x = FloatsOf(rows * heads * kHeadDim);
  // A turn by 0 degrees: repeated in place, the numbers stay what they are.
  const std::vector<float> cos(static_cast<size_t>(rows * kRotaryDim / 2), 1.0f);
  const std::vector<float> sin(cos.size(), 0.0f);
  const RopeArgs args{.x = F32(x.data(), {rows, heads, kHeadDim}),
                      .cos = F32(cos.data(), {rows, kRotaryDim / 2}),
                      .sin = F32(sin.data(), {rows, kRotaryDim / 2})};
  bench.Measure([&] { return Rope(bench.context(), args); });
}
// The query and the key heads of a row, of a large batch, of a chunk of a prompt.
ATOLL_KERNEL_BENCH(rope, BenchRope, {"rows", "heads"},
                   {{1, 16}, {1, 2}, {64, 16}, {512, 16}, {7, 3}});

void BenchRotaryTable(KernelBench& bench) {
  const int64_t rows = bench.shape(0);
  const RotaryFrequencies frequencies =
      MakeRotaryFrequencies({.rotary_dim = kRotaryDim, .theta = 1e7}).value();
  const std::vector<int32_t> positions = PositionsOf(rows);
  std::vector<float> cos(static_cast<size_t>(rows * kRotaryDim / 2)), sin(cos.size());
  const RotaryTableArgs args{.frequencies = &frequencies,
                             .positions = positions,
                             .cos = F32(cos.data(), {rows, kRotaryDim / 2}),
                             .sin = F32(sin.data(), {rows, kRotaryDim / 2})};
  bench.Measure([&] { return RotaryTable(bench.context(), args); });
}
ATOLL_KERNEL_BENCH(rotary_table, BenchRotaryTable, {"rows"}, {{1}, {64}, {512}, {7}});

}  // namespace
}  // namespace atl::kernels
