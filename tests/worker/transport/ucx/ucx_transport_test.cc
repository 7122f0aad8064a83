#include "worker/transport/ucx/ucx_transport.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/worker/transport/ucx/ucx_cluster.h"
#include "worker/transport/ucx/ucx_address.h"

namespace atl::worker {
namespace {

using std::chrono::milliseconds;

// One exchange between all ranks, each in a thread.
void ExpectSwap(const UcxRanks& ranks, Epoch epoch, size_t payload_bytes) {
  std::vector<std::thread> threads;
  for (const auto& transport : ranks) {
    threads.emplace_back([&] {
      for (uint64_t step = 1; step <= 3; ++step) {
        EXPECT_OK(SwapWithAll(*transport, {.epoch = epoch, .step = step}, payload_bytes));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(UcxTransportTest, JoinsLaterEpochsWithTheSameWorkers) {
  const UcxRanks ranks = CreateUcxRanks(3);
  for (uint32_t number = 1; number <= 6; ++number) {
    const Epoch epoch = {.term = 1, .number = number};
    for (const absl::Status& joined : JoinAll(ranks, epoch)) ASSERT_OK(joined);
    ExpectSwap(ranks, epoch, number % 2 == 0 ? 100 : 300'000);
    for (const auto& transport : ranks) transport->EndEpoch("a test of re-joining");
    for (const auto& transport : ranks) {
      EXPECT_STATUS(transport->AllToAll({.key = {.epoch = epoch, .step = 9}}),
                    absl::StatusCode::kUnavailable, "re-joining");
    }
  }
}

TEST(UcxTransportTest, AnEpochAbandonedInMidExchangeLeavesNothingToTheNext) {
  const UcxRanks ranks = CreateUcxRanks(2);
  const Epoch first = {.term = 1, .number = 1};
  const Epoch second = {.term = 1, .number = 2};
  for (const absl::Status& joined : JoinAll(ranks, first)) ASSERT_OK(joined);
  {
    // Small and large messages that nobody ever asks for, and one awaited that never comes.
    std::vector<std::byte> small(500), large(1 << 20), in(1000);
    const MessageBuffer sends[] = {{1, small.data(), small.size()},
                                   {1, large.data(), large.size()}};
    const MessageBuffer receive = {1, in.data(), in.size()};
    std::vector<std::unique_ptr<Transfer>> transfers;
    for (uint16_t layer = 0; layer < 2; ++layer) {
      ASSERT_OK_AND_ASSIGN(auto transfer,
                           ranks[0]->AllToAll({.key = {.epoch = first, .step = 1, .layer = layer},
                                               .send = {&sends[layer], 1},
                                               .receive = {&receive, 1}}));
      transfers.push_back(std::move(transfer));
    }
    for (const auto& transport : ranks) transport->EndEpoch("abandoned");
    for (const auto& transfer : transfers) {
      EXPECT_STATUS(transfer->Wait(), absl::StatusCode::kUnavailable, "abandoned");
    }
  }
  for (const absl::Status& joined : JoinAll(ranks, second)) ASSERT_OK(joined);
  ExpectSwap(ranks, second, 1000);
}

TEST(UcxTransportTest, JoinRefusesWhatItCannotMean) {
  const UcxRanks ranks = CreateUcxRanks(2);
  const Epoch epoch = {.term = 4, .number = 2};
  const std::vector<std::string> good = AddressesOf(ranks);
  EXPECT_EQ(ranks[0]->rank(), -1);
  const auto bad = absl::StatusCode::kInvalidArgument;
  EXPECT_STATUS(ranks[0]->Join(epoch, 0, {}), bad, "0 ranks");
  EXPECT_STATUS(ranks[0]->Join(epoch, 2, good), bad, "rank 2");
  EXPECT_STATUS(ranks[0]->Join(epoch, 1, good), bad, "not this worker's own");
  const std::vector<std::string> junk = {good[0], "tcp://somewhere:1234"};
  EXPECT_STATUS(ranks[0]->Join(epoch, 0, junk), bad, "ATLU");
  EXPECT_STATUS(ranks[0]->AllToAll({.key = {.epoch = epoch}}), absl::StatusCode::kUnavailable,
                "no epoch was joined");
  for (const absl::Status& joined : JoinAll(ranks, epoch)) ASSERT_OK(joined);
  const auto early = absl::StatusCode::kFailedPrecondition;
  EXPECT_STATUS(ranks[0]->Join({.term = 4, .number = 3}, 0, good), early, "was not ended");
  ranks[0]->EndEpoch("next");
  EXPECT_STATUS(ranks[0]->Join(epoch, 0, good), early, "is not earlier");
}

TEST(UcxTransportTest, JoinNamesTheRankThatDoesNotAnswer) {
  const UcxRanks ranks = CreateUcxRanks(2, {.connect_timeout = milliseconds(50)});
  EXPECT_STATUS(ranks[0]->Join({.term = 1, .number = 1}, 0, AddressesOf(ranks)),
                absl::StatusCode::kDeadlineExceeded, "from 1");
}

TEST(UcxTransportTest, EndEpochEndsAJoin) {
  const UcxRanks ranks = CreateUcxRanks(2);
  std::atomic<bool> joining{true};
  std::thread control([&] {
    while (joining) {  // one that comes before Join is forgotten
      ranks[0]->EndEpoch("the coordinator thought again");
      std::this_thread::yield();
    }
  });
  EXPECT_STATUS(ranks[0]->Join({.term = 1, .number = 1}, 0, AddressesOf(ranks)),
                absl::StatusCode::kUnavailable, "thought again");
  joining = false;
  control.join();
}

TEST(UcxTransportTest, JoinRefusesThoseWhoMeanOtherMembers) {
  // Over TCP a farewell said at once may be lost, and then ranks 2 and 3 wait for their time-out.
  const UcxRanks ranks = CreateUcxRanks(4, {.connect_timeout = std::chrono::seconds(5)});
  const std::vector<std::string> all = AddressesOf(ranks);
  const Epoch epoch = {.term = 1, .number = 1};
  // Both mean rank 0 and rank 1 by the same addresses, but not the same rank 2.
  const std::vector<std::string> mine = {all[0], all[1], all[2]};
  const std::vector<std::string> yours = {all[0], all[1], all[3]};
  std::vector<std::thread> others;
  others.emplace_back([&] { EXPECT_FALSE(ranks[1]->Join(epoch, 1, yours).ok()); });
  others.emplace_back([&] { EXPECT_FALSE(ranks[2]->Join(epoch, 2, mine).ok()); });
  others.emplace_back([&] { EXPECT_FALSE(ranks[3]->Join(epoch, 2, yours).ok()); });
  const absl::Status joined = ranks[0]->Join(epoch, 0, mine);
  // Rank 1 may have found out first, and left.
  EXPECT_STATUS(joined, absl::StatusCode::kUnavailable, "rank 1");
  for (std::thread& other : others) other.join();
}

TEST(UcxTransportTest, LeavesCrashesToTheProcess) {
  const UcxRanks ranks = CreateUcxRanks(1);
  for (const int signal : {SIGILL, SIGSEGV, SIGBUS, SIGFPE}) {
    struct sigaction action = {};
    ASSERT_EQ(sigaction(signal, nullptr, &action), 0);
    Dl_info info = {};
    if (dladdr(reinterpret_cast<void*>(action.sa_sigaction), &info) == 0) continue;
    EXPECT_EQ(std::strstr(info.dli_fname, "libucs"), nullptr) << strsignal(signal);
  }
}

TEST(UcxAddressTest, TellsWhatWasChangedOnTheWay) {
  const std::string address = WrapUcxAddress("some bytes of UCX");
  ASSERT_OK_AND_ASSIGN(const std::string bytes, UnwrapUcxAddress(address));
  EXPECT_EQ(bytes, "some bytes of UCX");
  for (size_t i = 0; i < address.size(); ++i) {
    std::string wrong = address;
    wrong[i] ^= 1;
    EXPECT_STATUS(UnwrapUcxAddress(wrong), absl::StatusCode::kInvalidArgument, "UCX address");
    EXPECT_STATUS(UnwrapUcxAddress(address.substr(0, i)), absl::StatusCode::kInvalidArgument,
                  "UCX address");
  }
  EXPECT_STATUS(UnwrapUcxAddress(std::string(kUcxAddressBytesMax + 1, 'x')),
                absl::StatusCode::kInvalidArgument, "65537 bytes");
}

}  // namespace
}  // namespace atl::worker
