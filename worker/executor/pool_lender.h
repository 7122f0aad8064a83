// A thread pool as kernels see it.
#pragma once

#include "common/concurrency/thread_pool.h"
#include "kernels/dispatch/kernel_context.h"

namespace atl::worker {

class PoolLender : public kernels::ThreadLender {
 public:
  // The pool outlives the lender; its threads have denormals set to zero.
  explicit PoolLender(ThreadPool& pool) : pool_(pool) {}
  int num_threads() const override { return pool_.num_threads(); }
  void Run(int num_tasks, void (*task)(void*, int, int), void* arg) override {
    pool_.Run(num_tasks, task, arg);
  }

 private:
  ThreadPool& pool_;
};

}  // namespace atl::worker
