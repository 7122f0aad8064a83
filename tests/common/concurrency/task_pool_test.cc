#include "common/concurrency/task_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "tests/support/status_matchers.h"

namespace atl {
namespace {

TEST(TaskPoolTest, RunsWhatItAcceptedBeforeItEnds) {
  std::atomic<int> ran{0};
  {
    TaskPool pool({.num_threads = 2, .num_waiting_max = 100});
    for (int i = 0; i < 100; ++i) ASSERT_OK(pool.Submit([&] { ran.fetch_add(1); }));
  }
  EXPECT_EQ(ran.load(), 100);
}

TEST(TaskPoolTest, PushesBackWhenFull) {
  std::promise<void> begun;
  std::promise<void> release;
  TaskPool pool({.num_threads = 1, .num_waiting_max = 2});
  ASSERT_OK(pool.Submit([&] {
    begun.set_value();
    release.get_future().wait();
  }));
  begun.get_future().wait();  // the only thread is busy, the queue empty
  ASSERT_OK(pool.Submit([] {}));
  ASSERT_OK(pool.Submit([] {}));
  EXPECT_STATUS(pool.Submit([] {}), absl::StatusCode::kResourceExhausted, "2 tasks wait");
  release.set_value();
}

TEST(TaskPoolTest, RefusesAfterClose) {
  TaskPool pool({.num_threads = 1, .num_waiting_max = 2});
  pool.Close();
  EXPECT_STATUS(pool.Submit([] {}), absl::StatusCode::kUnavailable, "closed");
}

}  // namespace
}  // namespace atl
