// ThreadPool: the compute threads of one executor.
//
//   ThreadPool pool({.num_threads = 4});
//   pool.Run(num_rows, [](void* arg, int row, int thread) { … }, &work);
#pragma once

#include <sched.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace atl {

struct ThreadPoolOptions {
  // Counts the caller of Run: n - 1 threads are made.
  int num_threads = 1;
  // How long an idle thread polls for the next Run before it sleeps.
  std::chrono::nanoseconds spin = std::chrono::microseconds(50);
  // CPU of each thread, the caller's first; none: wherever the system puts them.
  std::vector<int> cpus = {};
  // Called first on each thread that is made; the caller of Run sees to itself.
  std::function<void()> on_thread_start = {};
};

class ThreadPool {
 public:
  using Task = void (*)(void* arg, int task_index, int thread_index);

  // CHECKs that num_threads is in [1, 4096] and that there is a CPU for each or for none.
  explicit ThreadPool(ThreadPoolOptions options);
  // Not while Run is under way.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return static_cast<int>(threads_.size()) + 1; }

  const std::vector<int>& cpus() const { return options_.cpus; }

  // Calls task(arg, i, thread) once for every i in [0, num_tasks) and returns when all are done;
  // the caller is thread 0. Who runs what is decided at run time; indices are given out in
  // ascending order. What a task wrote is visible to the caller afterwards. Allocates nothing.
  // Threads: one Run at a time, never from inside a task (CHECK).
  void Run(int num_tasks, Task task, void* arg);

 private:
  void ThreadMain(int thread_index);
  // Claims and runs tasks until none is left; returns how many it ran.
  void WorkOn(int thread_index);
  void WakeSleepers(int num_tasks);
  bool HasWork(uint32_t seen_generation) const;

  const ThreadPoolOptions options_;
  // Each line below is written by few and polled by others, so no two groups share one.
  // What is run. Written by Run only while no task is claimed, read only by who has claimed one.
  alignas(64) std::atomic<bool> running_{false};
  Task task_ = nullptr;
  void* arg_ = nullptr;
  int num_tasks_ = 0;
  // Generation (upper half) and tasks not yet claimed (lower half) in one word: a claim is one
  // compare-and-swap, and a thread that comes late can never claim with an old Run's task.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<int> num_done_{0};
  alignas(64) std::atomic<int> num_sleeping_{0};
  std::atomic<bool> caller_sleeps_{false};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable work_came_;
  std::condition_variable work_done_;
  std::vector<std::thread> threads_;
};

// Keeps the calling thread, which is the pool's thread 0, on that thread's CPU while it lives;
// threads made meanwhile inherit that. Does nothing where the pool has no CPUs.
class CallerOnCpu {
 public:
  explicit CallerOnCpu(const ThreadPool& pool);
  ~CallerOnCpu();
  CallerOnCpu(const CallerOnCpu&) = delete;
  CallerOnCpu& operator=(const CallerOnCpu&) = delete;

 private:
  bool pinned_ = false;
  cpu_set_t before_;
};

}  // namespace atl
