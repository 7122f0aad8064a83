// EventFd: a flag that a thread can sleep on in epoll, raised from any thread.
#pragma once

#include "common/base/status.h"

namespace atl {

class EventFd {
 public:
  // kResourceExhausted: no descriptor left.
  static absl::StatusOr<EventFd> Create();
  ~EventFd();
  EventFd(EventFd&& other) noexcept;
  EventFd& operator=(EventFd&&) = delete;

  // Readable while raised; owned by this object.
  int fd() const { return fd_; }
  // Any thread, any number of times.
  void Raise() const;
  void Lower() const;

 private:
  explicit EventFd(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace atl
