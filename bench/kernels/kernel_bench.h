// What the kernel benches share: an operator runs on every ISA that this CPU has, on one thread
// and on two, in wall time, and what it reports of itself is set against what the machine can do.
//
//   void BenchRmsNorm(KernelBench& bench) {
//     const int64_t rows = bench.shape(0);
//     …
//     bench.Measure([&] { return RmsNorm(bench.context(), args); });
//   }
//   ATOLL_KERNEL_BENCH(rms_norm, BenchRmsNorm, {"rows"}, {{1}, {64}});
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <vector>

#include "bench/roofline/roofline.h"
#include "common/base/check.h"
#include "common/concurrency/thread_pool.h"
#include "kernels/dispatch/kernel_context.h"
#include "kernels/tensor/tensor_view.h"
#include "worker/executor/pool_lender.h"

namespace atl::kernels {

// Of the best ISA that this CPU has, on so many threads, not older than some seconds. One
// yardstick for all ISAs, so that their fractions compare.
bench::Roofline RooflineOf(int num_threads);

// One ISA and one number of threads. Counters of a run: of_bw and of_fma, its bytes and FLOPs a
// second as fractions of what was measured; of_roofline, the least time that it could take as a
// fraction of the time it took; read_gb_per_s and gflop_per_s, what was measured. What an operator
// finds in a cache can make of_bw exceed 1.
class KernelBench : private OpObserver {
 public:
  KernelBench(benchmark::State& state, Backend isa, int num_threads);

  KernelContext& context() { return context_; }
  int64_t shape(size_t i) const { return state_.range(i); }

  // Times op(), which returns a status, as often as the library asks.
  template <typename Op>
  void Measure(Op&& op) {
    context_.set_observer(this);
    const auto start = std::chrono::steady_clock::now();
    for (auto _ : state_) CHECK_OK(op());
    SetCounters(std::chrono::steady_clock::now() - start);
    context_.set_observer(nullptr);
  }

 private:
  void OnOp(const OpCost& cost, std::chrono::nanoseconds time) override;
  void SetCounters(std::chrono::duration<double> elapsed);

  benchmark::State& state_;
  ThreadPool pool_;
  worker::PoolLender lender_;
  KernelContext context_;
  const bench::Roofline roofline_;
  double bytes_ = 0.0, flops_ = 0.0, roofline_s_ = 0.0;
};

using KernelBenchBody = void (*)(KernelBench&);

// Registers "name/ISA/threads:n/shape" for every shape, whose numbers are called `dims`.
bool RegisterKernelBench(const std::string& name, KernelBenchBody body,
                         const std::vector<std::string>& dims,
                         const std::vector<std::vector<int64_t>>& shapes);
#define ATOLL_KERNEL_BENCH(name, body, ...)              \
  [[maybe_unused]] static const bool registered_##name = \
      ::atl::kernels::RegisterKernelBench(#name, body, __VA_ARGS__)

// The ISA of the bench's argument; false (and the bench skips) where the CPU lacks it.
inline bool IsaRuns(benchmark::State& state, Backend isa) {
  SetDenormalsToZero();
  const auto chosen = ChooseBackend(std::string(NameOf(isa)));
  if (!chosen.ok()) state.SkipWithError(MessageOf(chosen.status()).c_str());
  return chosen.ok();
}

// Small numbers of either sign, so that sums stay finite.
inline float SmallNumber(size_t i) {
  return (static_cast<float>(i * 2654435761u % 1000u) - 500.0f) * 1e-4f;
}
inline std::vector<Bf16> WeightsOf(size_t count) {
  std::vector<Bf16> weights(count);
  for (size_t i = 0; i < count; ++i) weights[i] = ToBf16(SmallNumber(i));
  return weights;
}
inline std::vector<float> FloatsOf(int64_t count) {
  std::vector<float> floats(static_cast<size_t>(count));
  for (size_t i = 0; i < floats.size(); ++i) floats[i] = SmallNumber(i);
  return floats;
}

}  // namespace atl::kernels
