#include "bench/roofline/roofline.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
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
constexpr int kRepetitions = 5;

// The median time of some runs of body(thread) on every thread at once: on a shared machine the
// best of them is a moment that no step can count on.
template <typename Body>
double MedianSeconds(kernels::KernelContext& context, Body&& body) {
  std::array<double, kRepetitions> seconds{};
  for (double& s : seconds) {
    const auto start = Clock::now();
    context.ParallelFor(context.num_threads(), [&](int task, int) { body(task); });
    s = std::chrono::duration<double>(Clock::now() - start).count();
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[kRepetitions / 2];
}

// Kept from one measurement to the next: the pages of a virtual machine are slow until its host
// has seen them in use.
const kernels::Buffer& ReadMemory() {
  static const kernels::Buffer memory = [] {
    kernels::Buffer made(kReadBytes);
    madvise(made.data(), kReadBytes, MADV_HUGEPAGE);
    std::memset(made.data(), 0, kReadBytes);
    return made;
  }();
  return memory;
}

}  // namespace

double Roofline::SecondsFor(const kernels::OpCost& cost) const {
  return std::max(static_cast<double>(cost.bytes) / read_bytes_per_s,
                  static_cast<double>(cost.flops) / flops_per_s);
}

Roofline Between(const Roofline& before, const Roofline& after) {
  return {.read_bytes_per_s = (before.read_bytes_per_s + after.read_bytes_per_s) / 2,
          .flops_per_s = (before.flops_per_s + after.flops_per_s) / 2};
}

Roofline MeasureRoofline(kernels::KernelContext& context) {
  const size_t threads = static_cast<size_t>(context.num_threads());
  std::vector<float> sinks(threads * 16);
  const kernels::Buffer& memory = ReadMemory();
  const size_t per_thread = kReadBytes / sizeof(float) / threads / kernels::kReadFloatsPerTurn *
                            kernels::kReadFloatsPerTurn;
  Roofline roofline;
  const double read_s = MedianSeconds(context, [&](int thread) {
    const size_t i = static_cast<size_t>(thread);
    ATOLL_ON_ISA(context, SumFloats(memory.f32() + i * per_thread, per_thread, &sinks[i * 16]));
  });
  roofline.read_bytes_per_s = static_cast<double>(per_thread * threads * sizeof(float)) / read_s;
  const double fma_s = MedianSeconds(context, [&](int thread) {
    ATOLL_ON_ISA(context, RunMultiplyAdds(kTurns, &sinks[static_cast<size_t>(thread) * 16]));
  });
  roofline.flops_per_s = static_cast<double>(threads) * kTurns * kernels::kPeakFlopsPerTurn / fma_s;
  return roofline;
}

}  // namespace atl::bench
