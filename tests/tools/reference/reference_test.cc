#include <gtest/gtest.h>

#include "common/config/file.h"
#include "tests/support/status_matchers.h"
#include "tools/reference/pages.h"

namespace atl::tools {
namespace {

constexpr size_t kPageBytesMax = size_t{1} << 20;
constexpr char kRemedy[] = "; `scripts/reference` writes docs/reference anew";

TEST(ReferenceTest, FlagsAreThoseOfThePrograms) {
  ASSERT_OK_AND_ASSIGN(const std::string page, FlagsPage());
  ASSERT_OK_AND_ASSIGN(const std::string kept,
                       ReadTextFile("docs/reference/flags.md", kPageBytesMax));
  EXPECT_EQ(kept, page) << kRemedy;
}

TEST(ReferenceTest, EndpointsAndMetricsAreThoseOfTheCoordinator) {
  ASSERT_OK_AND_ASSIGN(const CoordinatorPages pages, MakeCoordinatorPages());
  ASSERT_OK_AND_ASSIGN(const std::string api, ReadTextFile("docs/reference/api.md", kPageBytesMax));
  EXPECT_EQ(api, pages.api) << kRemedy;
  ASSERT_OK_AND_ASSIGN(const std::string metrics,
                       ReadTextFile("docs/reference/metrics.md", kPageBytesMax));
  EXPECT_EQ(metrics, pages.metrics) << kRemedy;
}

}  // namespace
}  // namespace atl::tools
