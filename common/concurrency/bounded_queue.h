// BoundedQueue: many threads put in, one or more take out, never more than `capacity` wait.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "common/base/check.h"

namespace atl {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) { CHECK(capacity > 0); }

  // False, and `item` untouched, when the queue is full or closed: the caller pushes back.
  [[nodiscard]] bool TryPush(T&& item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= capacity_) return false;
      items_.push_back(std::move(item));
    }
    item_came_.notify_one();
    return true;
  }

  // The oldest item; nothing at once when there is none.
  std::optional<T> TryPop() {
    std::lock_guard lock(mutex_);
    return Take();
  }

  // The oldest item; nothing when none came before `deadline`, or when the queue is closed and
  // empty.
  std::optional<T> Pop(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    item_came_.wait_until(lock, deadline, [&] { return closed_ || !items_.empty(); });
    return Take();
  }

  // Refuses what comes from now on and wakes everyone; what is inside can still be taken out.
  void Close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    item_came_.notify_all();
  }

  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  size_t size() const {
    std::lock_guard lock(mutex_);
    return items_.size();
  }
  size_t capacity() const { return capacity_; }

 private:
  std::optional<T> Take() {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    return item;
  }

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable item_came_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace atl
