#include "common/concurrency/thread_pool.h"

#include <utility>

#include "common/base/check.h"
#include "common/concurrency/spin.h"

namespace atl {
namespace {

constexpr int kThreadsMax = 4096;

uint32_t Generation(uint64_t ticket) { return static_cast<uint32_t>(ticket >> 32); }
uint32_t Unclaimed(uint64_t ticket) { return static_cast<uint32_t>(ticket); }

// Where the CPU has gone meanwhile the thread stays where it is: slower at worst.
void PinThisThread(int cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(static_cast<size_t>(cpu), &mask);
  sched_setaffinity(0, sizeof mask, &mask);
}

}  // namespace

ThreadPool::ThreadPool(ThreadPoolOptions options) : options_(std::move(options)) {
  CHECK(options_.num_threads >= 1 && options_.num_threads <= kThreadsMax, "{} threads",
        options_.num_threads);
  CHECK(options_.cpus.empty() || std::ssize(options_.cpus) == options_.num_threads,
        "{} CPUs for {} threads", options_.cpus.size(), options_.num_threads);
  threads_.reserve(options_.num_threads - 1);
  for (int i = 1; i < options_.num_threads; ++i) {
    threads_.emplace_back([this, i] { ThreadMain(i); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  work_came_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Run(int num_tasks, Task task, void* arg) {
  CHECK(!running_.exchange(true, std::memory_order_acquire),
        "Run was called from inside a task, or by two threads at once");
  CHECK(num_tasks >= 0, "{} tasks", num_tasks);
  if (threads_.empty() || num_tasks <= 1) {
    for (int i = 0; i < num_tasks; ++i) task(arg, i, 0);
    running_.store(false, std::memory_order_release);
    return;
  }
  task_ = task;
  arg_ = arg;
  num_tasks_ = num_tasks;
  num_done_.store(0, std::memory_order_relaxed);
  const uint64_t generation = Generation(ticket_.load(std::memory_order_relaxed)) + uint64_t{1};
  // Sequentially consistent, as is the count of sleepers: either this thread sees a sleeper, or the
  // sleeper sees the work.
  ticket_.store(generation << 32 | static_cast<uint32_t>(num_tasks));
  if (num_sleeping_.load() > 0) WakeSleepers(num_tasks);
  WorkOn(0);

  const auto all_done = [&] { return num_done_.load(std::memory_order_acquire) == num_tasks; };
  if (!SpinUntil(options_.spin, all_done)) {
    std::unique_lock lock(mutex_);
    caller_sleeps_.store(true);
    work_done_.wait(lock, [&] { return num_done_.load() == num_tasks; });
    caller_sleeps_.store(false);
  }
  running_.store(false, std::memory_order_release);
}

void ThreadPool::WorkOn(int thread_index) {
  int num_run = 0;
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (Unclaimed(ticket) > 0) {
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      continue;
    }
    task_(arg_, num_tasks_ - static_cast<int>(Unclaimed(ticket)), thread_index);
    ++num_run;
    ticket = ticket_.load(std::memory_order_acquire);
  }
  if (num_run == 0) return;
  // While this thread's tasks are not counted no other Run can begin, so num_tasks_ still holds.
  const int num_tasks = num_tasks_;
  const bool last = num_done_.fetch_add(num_run) + num_run == num_tasks;
  if (last && caller_sleeps_.load()) {
    std::lock_guard lock(mutex_);
    work_done_.notify_one();
  }
}

void ThreadPool::WakeSleepers(int num_tasks) {
  std::lock_guard lock(mutex_);
  const int needed = num_tasks - 1;
  if (needed >= static_cast<int>(threads_.size())) {
    work_came_.notify_all();
  } else {
    for (int i = 0; i < needed; ++i) work_came_.notify_one();
  }
}

bool ThreadPool::HasWork(uint32_t seen_generation) const {
  const uint64_t ticket = ticket_.load();
  return Generation(ticket) != seen_generation && Unclaimed(ticket) > 0;
}

void ThreadPool::ThreadMain(int thread_index) {
  if (!options_.cpus.empty()) PinThisThread(options_.cpus[static_cast<size_t>(thread_index)]);
  if (options_.on_thread_start) options_.on_thread_start();
  uint32_t seen_generation = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    const auto something = [&] {
      return HasWork(seen_generation) || stop_.load(std::memory_order_relaxed);
    };
    if (!SpinUntil(options_.spin, something)) {
      std::unique_lock lock(mutex_);
      num_sleeping_.fetch_add(1);
      work_came_.wait(lock, something);
      num_sleeping_.fetch_sub(1);
    }
    seen_generation = Generation(ticket_.load(std::memory_order_acquire));
    WorkOn(thread_index);
  }
}

CallerOnCpu::CallerOnCpu(const ThreadPool& pool) {
  if (pool.cpus().empty() || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
  PinThisThread(pool.cpus().front());
  pinned_ = true;
}

CallerOnCpu::~CallerOnCpu() {
  if (pinned_) sched_setaffinity(0, sizeof before_, &before_);
}

}  // namespace atl
