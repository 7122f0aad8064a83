#include "common/concurrency/bounded_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace atl {
namespace {

using Clock = std::chrono::steady_clock;

Clock::time_point Soon() { return Clock::now() + std::chrono::minutes(1); }

TEST(BoundedQueueTest, KeepsOrderAndRefusesWhenFull) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.TryPush(1));
  EXPECT_TRUE(queue.TryPush(2));
  EXPECT_FALSE(queue.TryPush(3));
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.TryPop(), 1);
  EXPECT_TRUE(queue.TryPush(4));
  EXPECT_EQ(queue.Pop(Soon()), 2);
  EXPECT_EQ(queue.Pop(Soon()), 4);
  EXPECT_EQ(queue.TryPop(), std::nullopt);
}

TEST(BoundedQueueTest, RefusedItemIsUntouched) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  EXPECT_TRUE(queue.TryPush(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(queue.TryPush(std::move(second)));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second, 2);
}

TEST(BoundedQueueTest, PopGivesUpAtTheDeadline) {
  BoundedQueue<int> queue(1);
  const auto deadline = Clock::now() + std::chrono::milliseconds(5);
  EXPECT_EQ(queue.Pop(deadline), std::nullopt);
  EXPECT_GE(Clock::now(), deadline);
}

TEST(BoundedQueueTest, CloseWakesAndLeavesWhatIsInside) {
  BoundedQueue<int> queue(4);
  std::optional<int> popped = 7;
  std::thread waiter([&] { popped = queue.Pop(Soon()); });
  queue.Close();
  waiter.join();
  EXPECT_EQ(popped, std::nullopt);
  EXPECT_FALSE(queue.TryPush(1));

  BoundedQueue<int> filled(4);
  EXPECT_TRUE(filled.TryPush(5));
  filled.Close();
  EXPECT_EQ(filled.Pop(Soon()), 5);
  EXPECT_EQ(filled.Pop(Soon()), std::nullopt);
}

TEST(BoundedQueueTest, ManyProducersLoseNothing) {
  constexpr int kProducers = 3;
  constexpr int kEach = 2000;
  BoundedQueue<int> queue(16);
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&queue, p] {
      for (int i = 0; i < kEach; ++i) {
        while (!queue.TryPush(p * kEach + i)) std::this_thread::yield();
      }
    });
  }
  std::vector<int> last(kProducers, -1);
  for (int n = 0; n < kProducers * kEach; ++n) {
    const std::optional<int> item = queue.Pop(Soon());
    ASSERT_TRUE(item.has_value());
    const int producer = *item / kEach;
    ASSERT_EQ(*item % kEach, last[producer] + 1);  // in order, and each once
    last[producer] = *item % kEach;
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(queue.size(), 0u);
}

}  // namespace
}  // namespace atl
