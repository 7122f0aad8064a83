#include "tests/support/wall_clock.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace {

std::atomic<int64_t> offset_s{0};

}  // namespace

// The dynamic linker prefers the program's own to libc's.
extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const long failed = syscall(SYS_clock_gettime, clock, now);
  if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    now->tv_sec += offset_s.load();
  }
  return static_cast<int>(failed);
}

namespace atl::testing {

void SetWallClockOffset(absl::Duration by) { offset_s = absl::ToInt64Seconds(by); }

}  // namespace atl::testing
