#include "coordinator/telemetry/worker_roster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atl::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class Recorder : public WorkerEvents {
 public:
  void OnHello(WorkerId, WorkerHello hello) override { seen.push_back("hello " + hello.host); }
  void OnReady(WorkerId, absl::StatusOr<WorkerReady>) override { seen.push_back("ready"); }
  void OnResult(WorkerId, StepResult) override { seen.push_back("result"); }
  void OnClosed(WorkerId, absl::Status) override { seen.push_back("closed"); }
  std::vector<std::string> seen;
};

TEST(WorkerRosterTest, PassesOnAndRemembersKernels) {
  Registry registry;
  Recorder next;
  WorkerRoster roster(next, registry);
  roster.OnHello(WorkerId{7}, {.host = "a", .kernels = "avx2"});
  roster.OnHello(WorkerId{9}, {.host = "b", .kernels = "some user's text"});
  roster.OnReady(WorkerId{7}, WorkerReady{});
  roster.OnResult(WorkerId{7}, {});
  EXPECT_THAT(roster.KernelsByWorker(), ElementsAre(Pair("0", "avx2"), Pair("1", "other")));
  EXPECT_THAT(registry.Render(),
              HasSubstr("atoll_kernels_info{backend=\"avx2\",worker=\"0\"} 1\n"));
  roster.OnClosed(WorkerId{7}, absl::OkStatus());
  EXPECT_THAT(roster.KernelsByWorker(), ElementsAre(Pair("0", "other")));
  EXPECT_THAT(registry.Render(),
              HasSubstr("atoll_kernels_info{backend=\"avx2\",worker=\"0\"} 0\n"));
  EXPECT_THAT(next.seen, ElementsAre("hello a", "hello b", "ready", "result", "closed"));
}

}  // namespace
}  // namespace atl::coordinator
