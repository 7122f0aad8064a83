#include "tools/loadgen/run/statistics.h"

#include <algorithm>

#include "common/base/check.h"
#include "tests/support/status_matchers.h"

namespace atl::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

const Percentiles& MetricOf(const LoadSummary& summary, const std::string& name) {
  const auto found = std::find_if(summary.metrics.begin(), summary.metrics.end(),
                                  [&](const Metric& metric) { return metric.name == name; });
  CHECK(found != summary.metrics.end());
  return found->percentiles;
}

RequestRecord Done(double begin_s, double ttft_ms, double end_ms) {
  RequestRecord record;
  record.outcome = Outcome::kDone;
  record.status = 200;
  record.begin_s = begin_s;
  record.first_byte_ms = ttft_ms;
  record.ttft_ms = ttft_ms;
  record.end_ms = end_ms;
  record.completion_tokens = 11;
  return record;
}

TEST(PercentilesTest, TheyAreSamplesByNearestRank) {
  std::vector<float> samples;
  for (int i = 1000; i >= 1; --i) samples.push_back(static_cast<float>(i));
  const Percentiles p = PercentilesOf(&samples);
  EXPECT_EQ(p.count, 1000u);
  EXPECT_EQ(p.mean, 500.5);
  EXPECT_EQ(p.p50, 500);
  EXPECT_EQ(p.p90, 900);
  EXPECT_EQ(p.p95, 950);
  EXPECT_EQ(p.p99, 990);
  EXPECT_EQ(p.p999, 999);
  EXPECT_EQ(p.max, 1000);
}

TEST(PercentilesTest, OneSampleIsAllOfThem) {
  std::vector<float> samples = {7};
  const Percentiles p = PercentilesOf(&samples);
  EXPECT_EQ(p.p50, 7);
  EXPECT_EQ(p.p999, 7);
  samples.clear();
  EXPECT_EQ(PercentilesOf(&samples).count, 0u);
}

TEST(HistogramLineTest, OneSampleOfManyShows) {
  std::vector<float> samples(10'000, 1.0F);
  samples.push_back(100.0F);
  const std::string line = HistogramLine(samples);
  EXPECT_TRUE(line.starts_with("1 █")) << line;
  EXPECT_TRUE(line.ends_with("▁ 100")) << line;
  EXPECT_EQ(HistogramLine({}), "");
}

TEST(SummaryTest, OutcomesAreCountedApart) {
  RequestRecord refused{.outcome = Outcome::kRefused, .status = 429, .begin_s = 1};
  refused.first_byte_ms = 2;
  refused.end_ms = 3;
  refused.retry_after_s = 4;
  RequestRecord failed{.outcome = Outcome::kFailed, .error_kind = "timeout", .begin_s = 2};
  RequestRecord cancelled = Done(1, 10, 15);
  cancelled.outcome = Outcome::kCancelled;
  cancelled.gaps_ms = {5};
  RequestRecord slow = Done(1, 1000, 9000);
  slow.reader = Reader::kSlow;
  RequestRecord dropped = slow;
  dropped.outcome = Outcome::kDropped;
  const LoadSummary summary =
      Summarise({Done(0, 10, 110), refused, failed, cancelled, slow, dropped}, {});
  EXPECT_EQ(summary.counted, 6u);
  EXPECT_EQ(summary.done, 2u);
  EXPECT_EQ(summary.refused, 1u);
  EXPECT_EQ(summary.failed, 1u);
  EXPECT_EQ(summary.cancelled, 1u);
  EXPECT_EQ(summary.dropped, 1u);
  EXPECT_THAT(summary.errors, ElementsAre(Pair("timeout", 1)));
  EXPECT_EQ(MetricOf(summary, "ttft ms").count, 2u);  // not of refused, failed and slow ones
  EXPECT_EQ(MetricOf(summary, "end to end ms").count, 1u);
  EXPECT_EQ(MetricOf(summary, "tpot ms").max, 10);
  EXPECT_EQ(MetricOf(summary, "gap ms").max, 5);
  EXPECT_EQ(MetricOf(summary, "refusal ms").max, 3);
  EXPECT_EQ(MetricOf(summary, "retry-after s").max, 4);
  EXPECT_EQ(summary.window_s, 10);  // from the first that began to the last that ended
}

TEST(SummaryTest, WhatBeganInTheWarmUpCountsOnlyItsErrors) {
  RequestRecord failed{.outcome = Outcome::kFailed, .error_kind = "text", .begin_s = 1};
  const LoadSummary summary =
      Summarise({failed, Done(4.9, 1, 2), Done(5, 1, 2)}, {.warmup_s = 5, .sending_s = 20});
  EXPECT_EQ(summary.counted, 1u);
  EXPECT_EQ(summary.uncounted, 2u);
  EXPECT_EQ(summary.failed, 0u);
  EXPECT_THAT(summary.errors, ElementsAre(Pair("text", 1)));
  EXPECT_EQ(summary.window_s, 15);
}

TEST(SummaryTest, GoodIsWhatMeetsEveryLimit) {
  RequestRecord with_pause = Done(0, 10, 110);
  with_pause.gaps_ms = {1, 51, 1};
  const std::vector<RequestRecord> records = {Done(0, 10, 110), Done(0, 101, 201), Done(0, 10, 300),
                                              with_pause};
  EXPECT_EQ(Summarise(records, {}).good, 4u);
  EXPECT_EQ(Summarise(records, {.limits = {.ttft_ms = 100}}).good, 3u);
  EXPECT_EQ(Summarise(records, {.limits = {.gap_ms = 50}}).good, 3u);
  EXPECT_EQ(Summarise(records, {.limits = {.tpot_ms = 20}}).good, 3u);
  EXPECT_EQ(Summarise(records, {.limits = {.ttft_ms = 100, .gap_ms = 50, .tpot_ms = 20}}).good, 1u);
}

}  // namespace
}  // namespace atl::tools
