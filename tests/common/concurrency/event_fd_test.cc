#include "common/concurrency/event_fd.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>
#include <utility>

#include "tests/support/status_matchers.h"

namespace atl {
namespace {

// Whether `event` becomes readable within the time.
bool Readable(const EventFd& event, int timeout_ms) {
  pollfd polled = {.fd = event.fd(), .events = POLLIN, .revents = 0};
  return poll(&polled, 1, timeout_ms) == 1;
}

TEST(EventFdTest, StaysRaisedUntilLowered) {
  ASSERT_OK_AND_ASSIGN(EventFd event, EventFd::Create());
  EXPECT_FALSE(Readable(event, 0));
  event.Lower();  // not raised: nothing happens
  event.Raise();
  event.Raise();
  EXPECT_TRUE(Readable(event, 0));
  EXPECT_TRUE(Readable(event, 0));
  event.Lower();
  EXPECT_FALSE(Readable(event, 0));
}

TEST(EventFdTest, WakesASleeper) {
  ASSERT_OK_AND_ASSIGN(EventFd made, EventFd::Create());
  EventFd event = std::move(made);
  std::thread other([&] { event.Raise(); });
  EXPECT_TRUE(Readable(event, 60'000));
  other.join();
}

}  // namespace
}  // namespace atl
