#include "common/concurrency/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

namespace atl {
namespace {

struct Counts {
  std::vector<int> runs;         // by task; plain ints: two runs of one task would be a race
  std::vector<int> runs_thread;  // by thread
};

void CountTask(void* arg, int task, int thread) {
  auto& counts = *static_cast<Counts*>(arg);
  ++counts.runs[task];
  ++counts.runs_thread[thread];
}

class ThreadPoolTest : public ::testing::TestWithParam<std::chrono::nanoseconds> {};

TEST_P(ThreadPoolTest, RunsEveryTaskOnceInRunAfterRun) {
  for (const int num_threads : {1, 2, 3, 5}) {
    ThreadPool pool({.num_threads = num_threads, .spin = GetParam()});
    EXPECT_EQ(pool.num_threads(), num_threads);
    for (int run = 0; run < 400; ++run) {
      const int num_tasks = run % 7 == 0 ? 0 : run % 41;
      Counts counts{std::vector<int>(num_tasks), std::vector<int>(num_threads)};
      pool.Run(num_tasks, CountTask, &counts);
      ASSERT_EQ(counts.runs, std::vector<int>(num_tasks, 1)) << "run " << run;
      ASSERT_EQ(std::accumulate(counts.runs_thread.begin(), counts.runs_thread.end(), 0),
                num_tasks);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Spin, ThreadPoolTest,
                         ::testing::Values(std::chrono::nanoseconds(0),
                                           std::chrono::microseconds(50)));

TEST(ThreadPoolTest, ThreadsWorkAtTheSameTime) {
  // Each task waits until all have begun: one thread alone would never come to the second.
  ThreadPool pool({.num_threads = 3, .spin = std::chrono::nanoseconds(0)});
  for (int run = 0; run < 50; ++run) {
    std::atomic<int> begun{0};
    pool.Run(
        3,
        [](void* arg, int, int) {
          auto& count = *static_cast<std::atomic<int>*>(arg);
          count.fetch_add(1);
          while (count.load() < 3) std::this_thread::yield();
        },
        &begun);
    EXPECT_EQ(begun.load(), 3);
  }
}

TEST(ThreadPoolTest, StartHookRunsOnEachMadeThreadAndNotOnTheCaller) {
  std::mutex mutex;
  std::set<std::thread::id> started;
  {
    ThreadPool pool({.num_threads = 4, .on_thread_start = [&] {
                       std::lock_guard lock(mutex);
                       started.insert(std::this_thread::get_id());
                     }});
  }
  EXPECT_EQ(started.size(), 3u);
  EXPECT_FALSE(started.contains(std::this_thread::get_id()));
}

cpu_set_t AffinityOfThisThread() {
  cpu_set_t mask;
  EXPECT_EQ(sched_getaffinity(0, sizeof mask, &mask), 0);
  return mask;
}

TEST(ThreadPoolTest, ThreadsAreOnTheCpusTheyWereGiven) {
  const cpu_set_t before = AffinityOfThisThread();
  size_t cpu = 0;
  while (!CPU_ISSET(cpu, &before)) ++cpu;
  struct Seen {
    std::atomic<int> num_begun{0};
    cpu_set_t masks[2];
  } seen;
  {
    ThreadPool pool({.num_threads = 2, .cpus = {static_cast<int>(cpu), static_cast<int>(cpu)}});
    const CallerOnCpu pinned(pool);
    pool.Run(
        2,
        [](void* arg, int, int thread) {
          auto& s = *static_cast<Seen*>(arg);
          s.masks[thread] = AffinityOfThisThread();
          s.num_begun.fetch_add(1);
          while (s.num_begun.load() < 2) std::this_thread::yield();
        },
        &seen);
  }
  for (const cpu_set_t& mask : seen.masks) {
    EXPECT_EQ(CPU_COUNT(&mask), 1);
    EXPECT_TRUE(CPU_ISSET(cpu, &mask));
  }
  const cpu_set_t after = AffinityOfThisThread();
  EXPECT_TRUE(CPU_EQUAL(&before, &after)) << "the caller is free again";
}

TEST(ThreadPoolTest, CallerIsThreadZero) {
  ThreadPool pool({.num_threads = 2});
  struct Seen {
    std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> wrong{0};
  } seen;
  for (int run = 0; run < 200; ++run) {
    pool.Run(
        8,
        [](void* arg, int, int thread) {
          auto& s = *static_cast<Seen*>(arg);
          if ((thread == 0) != (std::this_thread::get_id() == s.caller)) s.wrong.fetch_add(1);
        },
        &seen);
  }
  EXPECT_EQ(seen.wrong.load(), 0);
}

TEST(ThreadPoolDeathTest, RunInsideATaskIsOurOwnMistake) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadPool pool({.num_threads = 2});
        pool.Run(
            2,
            [](void* arg, int, int) {
              static_cast<ThreadPool*>(arg)->Run(
                  1, [](void*, int, int) {}, nullptr);
            },
            &pool);
      },
      "inside a task");
}

}  // namespace
}  // namespace atl
