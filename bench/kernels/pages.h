// What the kernel benches share: one run for each page that this CPU has, on one thread, timed in
// CPU time of the thread so that neighbours on the machine matter less.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "common/base/check.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"

namespace atl::kernels {

// The page of the bench's argument; false (and the bench skips) where the CPU lacks it.
inline bool PageRuns(benchmark::State& state, Backend page) {
  SetDenormalsToZero();
  const auto chosen = ChooseBackend(std::string(NameOf(page)));
  if (!chosen.ok()) state.SkipWithError(MessageOf(chosen.status()).c_str());
  return chosen.ok();
}

// Small numbers of either sign, so that sums stay finite.
inline std::vector<Bf16> WeightsOf(size_t count) {
  std::vector<Bf16> weights(count);
  for (size_t i = 0; i < count; ++i)
    weights[i] = ToBf16((static_cast<float>(i * 2654435761u % 1000u) - 500.0f) * 1e-4f);
  return weights;
}

// Registers `Bench` as Bench<page> for the three pages, e.g. "BM_Linear<Backend::kAvx2>/1/2048".
#define ATOLL_BENCH_ON_PAGES(Bench, arguments)          \
  BENCHMARK_TEMPLATE(Bench, Backend::kRef)->arguments;  \
  BENCHMARK_TEMPLATE(Bench, Backend::kAvx2)->arguments; \
  BENCHMARK_TEMPLATE(Bench, Backend::kAvx512)->arguments

}  // namespace atl::kernels
