// What a kernel is lent by its caller: the ISA to run, threads, and scratch memory for each of
// them.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

#include "kernels/dispatch/backend.h"
#include "kernels/dispatch/op_timer.h"
#include "kernels/tensor/buffer.h"

namespace atl::kernels {

// Threads lent to kernels. Run calls task(arg, i, thread) once for every i in [0, num_tasks), on
// any thread in [0, num_threads), and returns when all are done. Tasks never depend on which thread
// runs them.
class ThreadLender {
 public:
  virtual ~ThreadLender() = default;
  virtual int num_threads() const = 0;
  virtual void Run(int num_tasks, void (*task)(void* arg, int task_index, int thread_index),
                   void* arg) = 0;
};

class KernelContext {
 public:
  // `threads` may be null: everything runs on the calling thread. It must outlive the context.
  KernelContext(Backend backend, ThreadLender* threads,
                size_t scratch_bytes_per_thread = kDefaultScratchBytes);

  Backend backend() const { return backend_; }
  int num_threads() const { return threads_ == nullptr ? 1 : threads_->num_threads(); }

  // May be null. Not while an operator runs; it must outlive the context or be taken away again.
  void set_observer(OpObserver* observer) { observer_ = observer; }
  OpObserver* observer() const { return observer_; }

  // 64-byte aligned; contents undefined; valid until the kernel returns. CHECKs that it fits:
  // callers size it with *ScratchBytes().
  std::byte* Scratch(int thread_index, size_t size_bytes);

  // Runs body(task_index, thread_index) for all tasks.
  template <typename Body>
  void ParallelFor(int num_tasks, Body&& body) {
    if (threads_ == nullptr || num_tasks == 1) {
      for (int i = 0; i < num_tasks; ++i) body(i, 0);
      return;
    }
    threads_->Run(
        num_tasks,
        [](void* arg, int task, int thread) {
          (*static_cast<std::remove_reference_t<Body>*>(arg))(task, thread);
        },
        &body);
  }

  static constexpr size_t kDefaultScratchBytes = size_t{8}
                                                 << 20;  // address space; only touched pages count

 private:
  Backend backend_;
  ThreadLender* threads_;
  OpObserver* observer_ = nullptr;
  std::vector<Buffer> scratch_;
};

// Denormals are zero and flushed to zero (MXCSR), on the calling thread, for its life. Every
// compute thread calls it first.
void SetDenormalsToZero();
// True where SetDenormalsToZero holds: CHECKed at every kernel door.
bool DenormalsAreZero();

}  // namespace atl::kernels

// Calls Function on the ISA of `context`: ATOLL_ON_ISA(context, RmsNormRows(args, begin, end));
#define ATOLL_ON_ISA(context, ...)           \
  do {                                       \
    switch ((context).backend()) {           \
      case ::atl::kernels::Backend::kRef:    \
        ::atl::kernels::ref::__VA_ARGS__;    \
        break;                               \
      case ::atl::kernels::Backend::kAvx2:   \
        ::atl::kernels::avx2::__VA_ARGS__;   \
        break;                               \
      case ::atl::kernels::Backend::kAvx512: \
        ::atl::kernels::avx512::__VA_ARGS__; \
        break;                               \
    }                                        \
  } while (false)
