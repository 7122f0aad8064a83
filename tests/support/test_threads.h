// TestThreads: threads lent to kernels in tests; made for each call, so that nothing outlives it.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "kernels/dispatch/kernel_context.h"

namespace atl::testing {

class TestThreads : public kernels::ThreadLender {
 public:
  explicit TestThreads(int num_threads) : num_threads_(num_threads) {}
  int num_threads() const override { return num_threads_; }
  void Run(int num_tasks, void (*task)(void* arg, int task_index, int thread_index),
           void* arg) override {
    std::atomic<int> next = 0;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < num_threads_; ++thread) {
      threads.emplace_back([&, thread] {
        kernels::SetDenormalsToZero();
        for (int i = next++; i < num_tasks; i = next++) task(arg, i, thread);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  int num_threads_;
};

}  // namespace atl::testing
