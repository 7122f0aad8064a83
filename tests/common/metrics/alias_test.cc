#include "common/metrics/alias.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(AliasTest, SumsWhatItDoesNotKeep) {
  Registry registry;
  for (const char* worker : {"0", "1"}) {
    registry
        .AddCounter({"atoll_moe_rows_total", "Rows.", {{"worker", worker}, {"origin", "local"}}})
        .Add(3);
  }
  registry.AddCounter({"atoll_moe_rows_total", "Rows.", {{"worker", "0"}, {"origin", "remote"}}})
      .Add(100);
  registry.AddAlias({.name = "other:rows_total",
                     .source = "atoll_moe_rows_total",
                     .help = "Rows of ours.",
                     .only = {{"origin", "local"}},
                     .labels = {{"model_name", "m"}}});
  const std::string page = registry.Render();
  EXPECT_THAT(page, HasSubstr("# HELP other:rows_total Rows of ours.\n"
                              "# TYPE other:rows_total counter\n"
                              "other:rows_total{model_name=\"m\"} 6\n"));
  EXPECT_THAT(page, HasSubstr("atoll_moe_rows_total{origin=\"remote\",worker=\"0\"} 100\n"));
}

TEST(AliasTest, KeepsALabelUnderAnotherName) {
  Registry registry;
  registry.AddCounter({"atoll_requests_finished_total", "Ended.", {{"finish", "stop"}}}).Add(2);
  registry.AddCounter({"atoll_requests_finished_total", "Ended.", {{"finish", "cancelled"}}})
      .Add(5);
  registry.AddAlias({.name = "other:success_total",
                     .source = "atoll_requests_finished_total",
                     .help = "Ended.",
                     .keep = {{"finish", "finished_reason"}},
                     .values = {{"cancelled", "abort"}}});
  const std::string page = registry.Render();
  EXPECT_THAT(page, HasSubstr("other:success_total{finished_reason=\"abort\"} 5\n"));
  EXPECT_THAT(page, HasSubstr("other:success_total{finished_reason=\"stop\"} 2\n"));
  EXPECT_THAT(page, Not(HasSubstr("finished_reason=\"cancelled\"")));
}

TEST(AliasTest, AddsHistogramsBucketByBucket) {
  Registry registry;
  for (const char* kind : {"a", "b"}) {
    Histogram rows =
        registry.AddHistogram({"atoll_step_rows", "Rows of a step.", {{"kind", kind}}}, {1, 2});
    rows.Observe(1);
    rows.Observe(9);
  }
  registry.AddAlias({.name = "other:rows", .source = "atoll_step_rows", .help = "Rows."});
  EXPECT_THAT(registry.Render(), HasSubstr("# TYPE other:rows histogram\n"
                                           "other:rows_count 4\n"
                                           "other:rows_sum 20\n"
                                           "other:rows_bucket{le=\"1\"} 2\n"
                                           "other:rows_bucket{le=\"2\"} 2\n"
                                           "other:rows_bucket{le=\"+Inf\"} 4\n"));
}

TEST(AliasTest, NothingIsShownOfASourceThatIsNotThere) {
  Registry registry;
  registry.AddAlias({.name = "other:none", .source = "atoll_none", .help = "None."});
  EXPECT_EQ(registry.Render(), "");
}

}  // namespace
}  // namespace atl
