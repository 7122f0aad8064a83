#include "common/metrics/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace atl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RegistryTest, RendersAllKindsInTextFormat) {
  Registry registry;
  registry.AddCounter({"atoll_moe_rows_total", "Rows.", {{"worker", "1"}, {"origin", "local"}}})
      .Add(41);
  registry.AddGauge({"atoll_sequences_running", "Running."}).Set(3);
  Histogram rows = registry.AddHistogram(
      {"atoll_step_rows", "Rows of a step.", {{"kind", "decode"}}}, {1, 2, 4});
  rows.Observe(1);
  rows.Observe(2);  // a value on a bound counts below it
  rows.Observe(100);
  const std::string page = registry.Render();
  EXPECT_THAT(page, HasSubstr("# HELP atoll_moe_rows_total Rows.\n"
                              "# TYPE atoll_moe_rows_total counter\n"
                              "atoll_moe_rows_total{origin=\"local\",worker=\"1\"} 41\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE atoll_sequences_running gauge\n"
                              "atoll_sequences_running 3\n"));
  EXPECT_THAT(page, HasSubstr("atoll_step_rows_count{kind=\"decode\"} 3\n"
                              "atoll_step_rows_sum{kind=\"decode\"} 103\n"
                              "atoll_step_rows_bucket{kind=\"decode\",le=\"1\"} 1\n"
                              "atoll_step_rows_bucket{kind=\"decode\",le=\"2\"} 2\n"
                              "atoll_step_rows_bucket{kind=\"decode\",le=\"4\"} 2\n"
                              "atoll_step_rows_bucket{kind=\"decode\",le=\"+Inf\"} 3\n"));
}

TEST(RegistryTest, SameSeriesTwiceIsOneSeries) {
  Registry registry;
  registry.AddCounter({"atoll_steps_total", "Steps."}).Add();
  registry.AddCounter({"atoll_steps_total", "Steps."}).Add(2);
  EXPECT_THAT(registry.Render(), HasSubstr("\natoll_steps_total 3\n"));
}

TEST(RegistryTest, CounterNeverShrinks) {
  Registry registry;
  Counter counter = registry.AddCounter({"atoll_steps_total", "Steps."});
  counter.Add(5);
  counter.Add(-2);
  EXPECT_THAT(registry.Render(), HasSubstr("\natoll_steps_total 5\n"));
}

TEST(RegistryTest, LabelValuesAreEscaped) {
  Registry registry;
  registry.AddGauge({"atoll_build_info", "Build.", {{"version", "a\"b\\c\nd"}}}).Set(1);
  EXPECT_THAT(registry.Render(), HasSubstr("{version=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(RegistryTest, CountsFromManyThreads) {
  Registry registry;
  Counter counter = registry.AddCounter({"atoll_steps_total", "Steps."});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([counter]() mutable {
      for (int i = 0; i < 10000; ++i) counter.Add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(registry.Render(), HasSubstr("\natoll_steps_total 40000\n"));
}

TEST(RegistryDeathTest, NamesAreChecked) {
  Registry registry;
  EXPECT_DEATH(registry.AddCounter({"steps_total", "Steps."}), "metric steps_total");
  registry.AddCounter({"atoll_x_total", "X."});
  EXPECT_DEATH(registry.AddGauge({"atoll_x_total", "X."}), "a metric has one kind");
}

TEST(GeometricBoundsTest, Multiplies) {
  EXPECT_THAT(GeometricBounds(1, 2, 4), ::testing::ElementsAre(1, 2, 4, 8));
}

}  // namespace
}  // namespace atl
