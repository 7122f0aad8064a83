#include "bench/roofline/roofline.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "bench/roofline/roofline_isa.h"
#include "kernels/tensor/buffer.h"

namespace atl::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kReadBytes = size_t{1} << 30;  // far beyond a last-level cache
constexpr int64_t kTurns = 2'000'000;
constexpr int kRepetitions = 6;  // the best counts: it is a roof

// The least time of some runs of body(thread) on every thread at once.
template <typename Body>
double BestSeconds(kernels::KernelContext& context, Body&& body) {
  double best = 1e9;
  for (int i = 0; i < kRepetitions; ++i) {
    const auto start = Clock::now();
    context.ParallelFor(context.num_threads(), [&](int task, int) { body(task); });
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

}  // namespace

double Roofline::SecondsFor(const kernels::OpCost& cost) const {
  return std::max(static_cast<double>(cost.bytes) / read_bytes_per_s,
                  static_cast<double>(cost.flops) / flops_per_s);
}

Roofline MeasureRoofline(kernels::KernelContext& context) {
  const size_t threads = static_cast<size_t>(context.num_threads());
  std::vector<float> sinks(threads * 16);
  kernels::Buffer memory(kReadBytes);
  madvise(memory.data(), kReadBytes, MADV_HUGEPAGE);
  std::memset(memory.data(), 0, kReadBytes);
  const size_t per_thread = kReadBytes / sizeof(float) / threads / kernels::kReadFloatsPerTurn *
                            kernels::kReadFloatsPerTurn;
  Roofline roofline;
  const double read_s = BestSeconds(context, [&](int thread) {
    const size_t i = static_cast<size_t>(thread);
    ATOLL_ON_PAGE(context, SumFloats(memory.f32() + i * per_thread, per_thread, &sinks[i * 16]));
  });
  roofline.read_bytes_per_s = static_cast<double>(per_thread * threads * sizeof(float)) / read_s;
  const double fma_s = BestSeconds(context, [&](int thread) {
    ATOLL_ON_PAGE(context, RunMultiplyAdds(kTurns, &sinks[static_cast<size_t>(thread) * 16]));
  });
  roofline.flops_per_s = static_cast<double>(threads) * kTurns * kernels::kPeakFlopsPerTurn / fma_s;
  return roofline;
}

}  // namespace atl::bench
