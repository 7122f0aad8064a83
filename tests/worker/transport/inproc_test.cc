#include <gtest/gtest.h>

#include "common/base/check.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/transport/conformance.h"
#include "worker/transport/inproc/inproc_group.h"

namespace atl::worker {

std::vector<std::unique_ptr<Transport>> MakeTransports(const ClusterOptions& options) {
  auto made = InprocGroup::Create({.world_size = options.world_size,
                                   .epoch = options.epoch,
                                   .spin = options.spin,
                                   .exchange_deadline = options.exchange_deadline});
  CHECK_OK(made.status());
  return std::move(made).value();
}

namespace {

TEST(InprocGroupTest, RefusesAWorldWithoutRanks) {
  EXPECT_STATUS(InprocGroup::Create({.world_size = 0}), absl::StatusCode::kInvalidArgument, "0");
  EXPECT_STATUS(InprocGroup::Create({.world_size = 4097}), absl::StatusCode::kInvalidArgument,
                "4096");
}

}  // namespace
}  // namespace atl::worker
