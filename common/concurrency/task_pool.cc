#include "common/concurrency/task_pool.h"

#include <chrono>
#include <optional>
#include <utility>

#include "common/base/check.h"

namespace atl {

TaskPool::TaskPool(TaskPoolOptions options) : queue_(options.num_waiting_max) {
  CHECK(options.num_threads >= 1, "{} threads", options.num_threads);
  threads_.reserve(options.num_threads);
  for (int i = 0; i < options.num_threads; ++i) {
    threads_.emplace_back([this] {
      // Only Close ends the wait: an idle pool has nothing to do by any deadline.
      constexpr auto kWait = std::chrono::hours(1);
      while (true) {
        std::optional<Task> task = queue_.Pop(std::chrono::steady_clock::now() + kWait);
        if (task.has_value()) {
          (*task)();
        } else if (queue_.closed()) {
          return;
        }
      }
    });
  }
}

TaskPool::~TaskPool() {
  Close();
  for (std::thread& thread : threads_) thread.join();
}

absl::Status TaskPool::Submit(Task task) {
  if (queue_.TryPush(std::move(task))) return absl::OkStatus();
  if (queue_.closed()) return Unavailable("the task pool is closed");
  return ResourceExhausted("{} tasks wait already; try again later", queue_.capacity());
}

void TaskPool::Close() { queue_.Close(); }

}  // namespace atl
