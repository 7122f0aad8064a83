#include "worker/packed_weights/weight_packer.h"

#include <sched.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "common/log/log.h"

namespace atl::worker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kReportEvery(10);
// How often other workers' progress, and whether steps have adopted ours, is looked at.
constexpr std::chrono::milliseconds kLookEvery(500);

constexpr double Mebibytes(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void WaitFor(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, time, [] { return false; });
}

// Only what the compute threads leave: any thread of a step that wakes up takes its CPU back.
void YieldToAll() {
  const sched_param none{};
  if (sched_setscheduler(0, SCHED_IDLE, &none) != 0)
    LOG_WARNING("packing weights at normal priority: SCHED_IDLE is refused here");
}

void Run(PackedStore& store, const std::stop_token& stop) {
  YieldToAll();
  kernels::SetDenormalsToZero();
  const uint64_t ready_before = store.ready_bytes();
  const Clock::time_point start = Clock::now();
  Clock::time_point reported = start;
  while (!stop.stop_requested()) {
    const absl::StatusOr<PackProgress> progress = store.PackNext(stop);
    if (!progress.ok()) {
      LOG_WARNING("packing weights ends at {:.1f} of {:.1f} MiB: {}",
                  Mebibytes(store.ready_bytes()), Mebibytes(store.wanted_bytes()),
                  MessageOf(progress.status()));
      return;
    }
    if (*progress == PackProgress::kDone) break;
    if (*progress == PackProgress::kWaiting) WaitFor(kLookEvery, stop);
    if (Clock::now() - reported < kReportEvery) continue;
    reported = Clock::now();
    LOG_INFO("packing weights: {:.1f} of {:.1f} MiB", Mebibytes(store.ready_bytes()),
             Mebibytes(store.wanted_bytes()));
  }
  if (stop.stop_requested() || store.ready_bytes() == ready_before) return;
  LOG_INFO("packed weights: {:.1f} MiB complete after {:.1f} s", Mebibytes(store.ready_bytes()),
           std::chrono::duration<double>(Clock::now() - start).count());
}

}  // namespace

WeightPacker::WeightPacker(PackedStore& store)
    : thread_([&store](const std::stop_token& stop) { Run(store, stop); }) {}

}  // namespace atl::worker
