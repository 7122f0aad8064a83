#include "tests/support/faulty_transport.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/worker/transport/conformance.h"

namespace atl::worker {
namespace {

constexpr Epoch kEpoch = {.term = 3, .number = 7};
constexpr uint16_t kLayers = 3;

// A step of a rank of two: each layer a dispatch and a return; the layers it got through, or the
// status that ended it.
absl::StatusOr<int> RunStep(Transport& transport, uint64_t step) {
  const int peer = 1 - transport.rank();
  std::array<std::byte, 500> out = {};
  std::array<std::byte, 500> in = {};
  const MessageBuffer send = {peer, out.data(), out.size()};
  const MessageBuffer receive = {peer, in.data(), in.size()};
  for (uint16_t layer = 0; layer < kLayers; ++layer) {
    for (const MessageKind kind : {MessageKind::kDispatch, MessageKind::kCombine}) {
      ATOLL_ASSIGN_OR_RETURN(
          auto transfer,
          transport.AllToAll({.key = {.epoch = kEpoch, .step = step, .layer = layer, .kind = kind},
                              .send = {&send, 1},
                              .receive = {&receive, 1}}));
      ATOLL_RETURN_IF_ERROR(transfer->Wait());
    }
  }
  return kLayers;
}

TEST(FaultyTransportTest, FailsAtTheLayerAndPlacePlannedOnAllRanks) {
  for (uint16_t layer = 0; layer < kLayers; ++layer) {
    for (const MessageKind kind : {MessageKind::kDispatch, MessageKind::kCombine}) {
      for (const testing::FaultPlace place :
           {testing::FaultPlace::kAllToAll, testing::FaultPlace::kWait}) {
        auto transports = MakeTransports({.world_size = 2});
        auto faulty = std::make_unique<testing::FaultyTransport>(
            std::move(transports[0]),
            testing::FaultPlan{.step = 2, .layer = layer, .kind = kind, .place = place});
        testing::FaultyTransport* fault = faulty.get();
        transports[0] = std::move(faulty);
        RunRanks(transports, [&](Transport& transport) {
          EXPECT_OK(RunStep(transport, 1));
          const absl::StatusOr<int> second = RunStep(transport, 2);
          if (transport.rank() == 0) {
            EXPECT_STATUS(second, absl::StatusCode::kUnavailable, "planned fault in step 2");
            EXPECT_TRUE(fault->fired());
          }
          // The other may have had all of the last exchange before the fault; then the next fails.
          EXPECT_STATUS(second.ok() ? RunStep(transport, 3) : second,
                        absl::StatusCode::kUnavailable, "rank 0");
        });
      }
    }
  }
}

TEST(FaultyTransportTest, LazyProgressLosesNothing) {
  auto transports = MakeTransports({.world_size = 2});
  transports[0] = std::make_unique<testing::FaultyTransport>(
      std::move(transports[0]), testing::FaultPlan{.step = 99, .num_lazy_progress = 3});
  RunRanks(transports, [](Transport& transport) {
    std::array<std::byte, 500> out = {};
    std::array<std::byte, 500> in = {};
    const MessageBuffer send = {1 - transport.rank(), out.data(), out.size()};
    const MessageBuffer receive = {1 - transport.rank(), in.data(), in.size()};
    ASSERT_OK_AND_ASSIGN(auto transfer, transport.AllToAll({.key = {.epoch = kEpoch, .step = 1},
                                                            .send = {&send, 1},
                                                            .receive = {&receive, 1}}));
    if (transport.rank() == 0) {
      for (int i = 0; i < 3; ++i) EXPECT_FALSE(transfer->Progress());
    }
    EXPECT_OK(transfer->Wait());
    EXPECT_EQ(transfer->bytes_from(1 - transport.rank()), 500u);
  });
}

}  // namespace
}  // namespace atl::worker
