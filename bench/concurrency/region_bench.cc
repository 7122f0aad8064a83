// What a parallel region costs beside its work: entering and leaving it, handing out its tasks, and
// waking threads that had gone to sleep.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>

#include "common/concurrency/machine_limits.h"
#include "common/concurrency/thread_pool.h"

namespace atl::bench {
namespace {

using std::chrono::nanoseconds;

void NoWork(void*, int, int) {}

// Waits until every task of the region has begun, so that no thread can run them all.
struct Meeting {
  int num_tasks;
  std::atomic<int> num_begun{0};
};
void Meet(void* arg, int, int) {
  Meeting& meeting = *static_cast<Meeting*>(arg);
  meeting.num_begun.fetch_add(1);
  while (meeting.num_begun.load() < meeting.num_tasks) {
  }
}

void BusyFor(nanoseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

// One task a thread that meets the others, `gap` of the caller's own work between two regions.
void Region(benchmark::State& state, nanoseconds spin) {
  const nanoseconds gap(state.range(0));
  ThreadPool pool({.num_threads = CpusAllowed(), .spin = spin});
  for (auto _ : state) {
    BusyFor(gap);
    Meeting meeting{.num_tasks = pool.num_threads()};
    const auto start = std::chrono::steady_clock::now();
    pool.Run(meeting.num_tasks, Meet, &meeting);
    const nanoseconds time = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(std::chrono::duration<double>(time).count());
  }
}
// While the threads poll: between the operators of a layer.
BENCHMARK_CAPTURE(Region, polling, std::chrono::microseconds(50))
    ->Arg(0)
    ->Arg(2'000)
    ->Arg(20'000)
    ->UseManualTime()
    ->MinTime(0.2);
// After they fell asleep: between steps.
BENCHMARK_CAPTURE(Region, asleep, nanoseconds(0))->Arg(100'000)->UseManualTime()->MinTime(0.1);

// Tasks too short to be worth a thread: what claiming them costs.
void BM_Claims(benchmark::State& state) {
  ThreadPool pool({.num_threads = CpusAllowed()});
  for (auto _ : state) pool.Run(static_cast<int>(state.range(0)), NoWork, nullptr);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Claims)->Arg(64)->Arg(1024)->UseRealTime();

}  // namespace
}  // namespace atl::bench
