#include "bench/kernels/kernel_bench.h"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace atl::kernels {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array<int, 2> kThreads = {1, 2};
constexpr std::array<Backend, 3> kIsas = {Backend::kRef, Backend::kAvx2, Backend::kAvx512};

// The memory of a shared machine is quicker at one time than at another.
constexpr std::chrono::seconds kRooflineAgeMax(10);

struct DatedRoofline {
  bench::Roofline roofline;
  Clock::time_point measured;
};

bench::Roofline Measure(int num_threads) {
  SetDenormalsToZero();
  ThreadPool pool({.num_threads = num_threads, .on_thread_start = SetDenormalsToZero});
  worker::PoolLender lender(pool);
  KernelContext context(BestBackend().value(), &lender);
  return bench::MeasureRoofline(context);
}

}  // namespace

bench::Roofline RooflineOf(int num_threads) {
  static std::array<std::optional<DatedRoofline>, kThreads.size()> known;
  auto& last = known.at(static_cast<size_t>(num_threads - 1));
  if (!last.has_value() || Clock::now() - last->measured > kRooflineAgeMax)
    last = {Measure(num_threads), Clock::now()};
  return last->roofline;
}

KernelBench::KernelBench(benchmark::State& state, Backend isa, int num_threads)
    : state_(state),
      pool_({.num_threads = num_threads, .on_thread_start = SetDenormalsToZero}),
      lender_(pool_),
      context_(isa, &lender_),
      roofline_(RooflineOf(num_threads)) {}

void KernelBench::OnOp(const OpCost& cost, std::chrono::nanoseconds /*time*/) {
  bytes_ += static_cast<double>(cost.bytes);
  flops_ += static_cast<double>(cost.flops);
  roofline_s_ += roofline_.SecondsFor(cost);
}

void KernelBench::SetCounters(std::chrono::duration<double> elapsed) {
  const double seconds = elapsed.count();
  state_.counters["of_bw"] = bytes_ / roofline_.read_bytes_per_s / seconds;
  state_.counters["of_fma"] = flops_ / roofline_.flops_per_s / seconds;
  state_.counters["of_roofline"] = roofline_s_ / seconds;
  state_.counters["read_gb_per_s"] = roofline_.read_bytes_per_s * 1e-9;
  state_.counters["gflop_per_s"] = roofline_.flops_per_s * 1e-9;
}

bool RegisterKernelBench(const std::string& name, KernelBenchBody body,
                         const std::vector<std::string>& dims,
                         const std::vector<std::vector<int64_t>>& shapes) {
  for (const Backend isa : kIsas) {
    for (const int num_threads : kThreads) {
      auto* const registered = benchmark::RegisterBenchmark(
          fmt::format("{}/{}/threads:{}", name, NameOf(isa), num_threads).c_str(),
          [body, isa, num_threads](benchmark::State& state) {
            if (!IsaRuns(state, isa)) return;
            KernelBench bench(state, isa, num_threads);
            body(bench);
          });
      registered->ArgNames(dims)->Unit(benchmark::kMicrosecond)->UseRealTime();
      for (const auto& shape : shapes) registered->Args(shape);
    }
  }
  return true;
}

}  // namespace atl::kernels
