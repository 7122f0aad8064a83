#include "common/concurrency/event_fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "common/base/check.h"

namespace atl {

absl::StatusOr<EventFd> EventFd::Create() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return ResourceExhausted("eventfd: {}", strerror(errno));
  return EventFd(fd);
}

EventFd::~EventFd() {
  if (fd_ >= 0) close(fd_);
}

EventFd::EventFd(EventFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

void EventFd::Raise() const {
  const uint64_t one = 1;
  // EAGAIN: the counter is at its top, so the flag is up already.
  const ssize_t written = write(fd_, &one, sizeof one);
  CHECK(written == sizeof one || errno == EAGAIN, "eventfd: {}", strerror(errno));
}

void EventFd::Lower() const {
  uint64_t count = 0;
  const ssize_t num_read = read(fd_, &count, sizeof count);
  CHECK(num_read == sizeof count || errno == EAGAIN, "eventfd: {}", strerror(errno));
}

}  // namespace atl
