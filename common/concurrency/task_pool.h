// TaskPool: a few threads for work that must not hold up an I/O thread (parsing, tokenising).
#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

#include "common/base/status.h"
#include "common/concurrency/bounded_queue.h"

namespace atl {

struct TaskPoolOptions {
  int num_threads = 1;
  size_t num_waiting_max = 1024;
};

class TaskPool {
 public:
  using Task = std::function<void()>;

  explicit TaskPool(TaskPoolOptions options);
  // Runs what was accepted, then joins.
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  // Any thread. kResourceExhausted: num_waiting_max tasks wait already; nothing was accepted.
  // kUnavailable: after Close.
  absl::Status Submit(Task task);
  // Accepts nothing more; what was accepted still runs. Any thread.
  void Close();

 private:
  BoundedQueue<Task> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace atl
