#include "tools/loadgen/run/process_watch.h"

#include <unistd.h>

#include "tests/support/status_matchers.h"

namespace atl::tools {
namespace {

TEST(ProcessStatTest, FieldsFollowTheLastBracket) {
  const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  const auto use = ParseProcessStat(
      "42 (a) R (b) S 1 2 3 0 -1 4 5 6 7 8 150 50 9 9 20 0 13 0 99 1000000 2500 "
      "18446744073709551615 1");
  ASSERT_TRUE(use.ok()) << use.status();
  EXPECT_EQ(use->cpu_s, 200 / ticks);
  EXPECT_EQ(use->threads, 13);
  EXPECT_EQ(use->rss_mb, 2500 * page / 1e6);
}

TEST(ProcessStatTest, OtherTextIsRefused) {
  for (const char* text :
       {"", "42", "42 (a)", "42 (a) S 1 2 3", "42 (a) S 1 2 x 0 -1 4 5 6 7 8 9"}) {
    EXPECT_EQ(ParseProcessStat(text).status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

TEST(ProcessWatchTest, ItSeesThisProcess) {
  ProcessWatch watch({::getpid()});
  ASSERT_TRUE(watch.Begin().ok());
  watch.Sample(1);
  const ProcessHistory& history = watch.histories()[0];
  ASSERT_EQ(history.samples.size(), 2u);
  EXPECT_FALSE(history.name.empty());
  EXPECT_GT(history.samples[1].rss_mb, 0);
  EXPECT_GT(history.samples[1].descriptors, 2);
  EXPECT_GE(history.samples[1].threads, 1);
  EXPECT_EQ(history.samples[1].at_s, 1);
}

TEST(ProcessWatchTest, AProcessThatIsNotThereIsNamed) {
  ProcessWatch watch({0x7ffffff0});
  EXPECT_EQ(watch.Begin().code(), absl::StatusCode::kNotFound);
}

TEST(ProcessTrendTest, ItBeginsAfterTheWarmUp) {
  std::vector<ProcessUse> samples;
  for (int i = 0; i <= 10; ++i) {
    samples.push_back({.at_s = static_cast<double>(i),
                       .cpu_s = i <= 4 ? 2.0 * i : 8 + 0.5 * (i - 4),
                       .rss_mb = i < 4 ? 500.0 : 100.0 + i});
  }
  const ProcessTrend trend = TrendOf(samples, 4);
  EXPECT_DOUBLE_EQ(trend.cores, 0.5);
  EXPECT_DOUBLE_EQ(trend.cores_max, 0.5);
  EXPECT_DOUBLE_EQ(trend.rss_mb_per_min, 60);
  EXPECT_EQ(trend.rss_mb_max, 110);
  EXPECT_EQ(trend.first.rss_mb, 104);
  EXPECT_EQ(TrendOf({}, 0).cores, 0);
}

}  // namespace
}  // namespace atl::tools
