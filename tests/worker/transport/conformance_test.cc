#include "tests/worker/transport/conformance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>

#include "tests/support/allocation_counter.h"
#include "tests/support/status_matchers.h"
#include "worker/transport/message_header.h"

namespace atl::worker {

void RunRanks(std::span<const std::unique_ptr<Transport>> transports,
              const std::function<void(Transport&)>& body) {
  std::vector<std::thread> threads;
  for (const auto& transport : transports) {
    threads.emplace_back([&body, &transport] { body(*transport); });
  }
  for (std::thread& thread : threads) thread.join();
}

namespace {

using Buffer = std::vector<std::byte>;
constexpr Epoch kEpoch = {.term = 3, .number = 7};

MessageKey Key(uint64_t step, uint16_t layer = 0, MessageKind kind = MessageKind::kDispatch) {
  return {.epoch = kEpoch, .step = step, .layer = layer, .kind = kind};
}

// A number that both ends of a message derive from its key.
uint64_t Hash(const MessageKey& key, int source, int destination) {
  uint64_t x = key.step * 0x9e3779b97f4a7c15u + key.layer * 1000003u +
               static_cast<uint64_t>(key.kind) * 77u + source * 4099u + destination * 131071u;
  x ^= x >> 31;
  x *= 0xbf58476d1ce4e5b9u;
  return x ^ x >> 29;
}

// The size of a message, header included; 0 = no message is sent on this way.
size_t PlannedBytes(const MessageKey& key, int source, int destination) {
  const uint64_t hash = Hash(key, source, destination);
  switch (hash % 8) {
    case 0:
      return 0;
    case 1:
      return kMessageHeaderBytes;
    case 2:
      return kMessageHeaderBytes + (size_t{1} << 20);
    case 3:
      return kMessageHeaderBytes + hash / 8 % (size_t{1} << 20);
    default:
      return kMessageHeaderBytes + hash / 8 % 20000;
  }
}

void FillPayload(Buffer& buffer, const MessageKey& key, int source, int destination) {
  uint64_t x = Hash(key, source, destination) | 1;
  for (size_t i = kMessageHeaderBytes; i < buffer.size(); i += sizeof x) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    std::memcpy(buffer.data() + i, &x, std::min(sizeof x, buffer.size() - i));
  }
}

Buffer Message(const MessageKey& key, int source, int destination, size_t size_bytes) {
  Buffer buffer(size_bytes);
  FillPayload(buffer, key, source, destination);
  return buffer;
}

// One message of `size_bytes` from rank 0 to rank 1, or its other end.
absl::StatusOr<std::unique_ptr<Transfer>> Send(Transport& transport, const MessageKey& key,
                                               int destination, Buffer& buffer) {
  const MessageBuffer send = {destination, buffer.data(), buffer.size()};
  return transport.AllToAll({.key = key, .send = {&send, 1}, .receive = {}});
}
absl::StatusOr<std::unique_ptr<Transfer>> Receive(Transport& transport, const MessageKey& key,
                                                  int source, Buffer& buffer) {
  const MessageBuffer receive = {source, buffer.data(), buffer.size()};
  return transport.AllToAll({.key = key, .send = {}, .receive = {&receive, 1}});
}

// One exchange's buffers on one rank, and the exchange itself.
class Exchange {
 public:
  Exchange(const MessageKey& key, int rank, int world_size)
      : key_(key), rank_(rank), sent_(world_size), received_(world_size) {
    for (int peer = 0; peer < world_size; ++peer) {
      if (peer == rank) continue;
      if (const size_t size = PlannedBytes(key, rank, peer); size > 0) {
        sent_[peer] = Message(key, rank, peer, size);
        send_.push_back({peer, sent_[peer].data(), size});
      }
      if (const size_t size = PlannedBytes(key, peer, rank); size > 0) {
        received_[peer].resize(size + Hash(key, peer, rank) % 1000);  // an upper bound
        receive_.push_back({peer, received_[peer].data(), received_[peer].size()});
      }
    }
  }

  void Start(Transport& transport) {
    auto started = transport.AllToAll({.key = key_, .send = send_, .receive = receive_});
    ASSERT_OK(started);
    transfer_ = std::move(started).value();
  }

  void FinishAndCheck() {
    ASSERT_OK(transfer_->Wait());
    for (size_t peer = 0; peer < received_.size(); ++peer) {
      const int source = static_cast<int>(peer);
      const size_t planned = source == rank_ ? 0 : PlannedBytes(key_, source, rank_);
      ASSERT_EQ(transfer_->bytes_from(source), planned);
      if (planned == 0) continue;
      const Buffer expected = Message(key_, source, rank_, planned);
      ASSERT_TRUE(MessageMatches(key_, {source, rank_}, received_[peer].data(), planned));
      ASSERT_EQ(std::memcmp(received_[peer].data() + kMessageHeaderBytes,
                            expected.data() + kMessageHeaderBytes, planned - kMessageHeaderBytes),
                0)
          << "step " << key_.step << " layer " << key_.layer << " from " << source;
    }
    EXPECT_TRUE(transfer_->Progress());
  }

  size_t num_received() const { return receive_.size(); }

 private:
  MessageKey key_;
  int rank_;
  std::vector<Buffer> sent_;
  std::vector<Buffer> received_;
  std::vector<MessageBuffer> send_;
  std::vector<MessageBuffer> receive_;
  std::unique_ptr<Transfer> transfer_;
};

class WorldTest : public ::testing::TestWithParam<int> {};

TEST_P(WorldTest, CarriesRandomMessagesOfManyLayersInFlight) {
  constexpr int kSteps = 4;
  constexpr int kLayers = 12;
  constexpr size_t kInFlight = 4;  // dispatch and return of two layers
  const auto transports = MakeTransports({.world_size = GetParam()});
  RunRanks(transports, [](Transport& transport) {
    uint64_t num_received = 0;
    std::vector<std::unique_ptr<Exchange>> flying;
    const auto land = [&](size_t most) {
      while (flying.size() > most) {
        flying.front()->FinishAndCheck();
        flying.erase(flying.begin());
      }
    };
    for (uint64_t step = 1; step <= kSteps; ++step) {
      for (uint16_t layer = 0; layer < kLayers; ++layer) {
        for (const MessageKind kind : {MessageKind::kDispatch, MessageKind::kCombine}) {
          const MessageKey key = Key(step, layer, kind);
          flying.push_back(
              std::make_unique<Exchange>(key, transport.rank(), transport.world_size()));
          num_received += flying.back()->num_received();
          flying.back()->Start(transport);
          transport.Progress();
          if (::testing::Test::HasFatalFailure()) return;
          land(kInFlight - 1);
        }
      }
      land(0);
    }
    EXPECT_EQ(transport.counters().messages_received, num_received);
    EXPECT_EQ(transport.counters().mismatched, 0u);
  });
}

TEST_P(WorldTest, RanksMayRunAheadOfEachOther) {
  // Rank 0 sends ten layers before anyone asks for the first.
  constexpr int kLayers = 10;
  constexpr size_t kBytes = 1000;
  const auto transports = MakeTransports({.world_size = GetParam()});
  std::atomic<bool> all_sent{false};
  RunRanks(transports, [&](Transport& transport) {
    const int rank = transport.rank();
    if (rank == 0) {
      std::vector<Buffer> buffers;
      std::vector<std::unique_ptr<Transfer>> transfers;
      for (uint16_t layer = 0; layer < kLayers; ++layer) {
        for (int peer = 1; peer < transport.world_size(); ++peer) {
          buffers.push_back(Message(Key(1, layer), 0, peer, kBytes));
          auto sent = Send(transport, Key(1, layer), peer, buffers.back());
          ASSERT_OK(sent);
          transfers.push_back(std::move(sent).value());
        }
      }
      all_sent = true;
      for (const auto& transfer : transfers) EXPECT_OK(transfer->Wait());
      return;
    }
    while (!all_sent) std::this_thread::yield();
    for (uint16_t layer = 0; layer < kLayers; ++layer) {
      Buffer buffer(kBytes);
      ASSERT_OK_AND_ASSIGN(auto transfer, Receive(transport, Key(1, layer), 0, buffer));
      ASSERT_OK(transfer->Wait());
      const Buffer expected = Message(Key(1, layer), 0, rank, kBytes);
      EXPECT_EQ(std::memcmp(buffer.data() + kMessageHeaderBytes,
                            expected.data() + kMessageHeaderBytes, kBytes - kMessageHeaderBytes),
                0);
    }
    EXPECT_EQ(transport.counters().mismatched, 0u);
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, WorldTest, ::testing::Values(2, 3, 4));

TEST(TransportTest, SaysWhereItStands) {
  const auto transports = MakeTransports({.world_size = 3});
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(transports[rank]->rank(), rank);
    EXPECT_EQ(transports[rank]->world_size(), 3);
    EXPECT_EQ(transports[rank]->caps().message_bytes_max, kPeerMessageBytesMax);
    EXPECT_FALSE(transports[rank]->caps().name.empty());
  }
}

TEST(TransportTest, AloneItExchangesNothing) {
  const auto transports = MakeTransports({.world_size = 1});
  ASSERT_OK_AND_ASSIGN(auto transfer, transports[0]->AllToAll({.key = Key(1)}));
  EXPECT_TRUE(transfer->Progress());
  EXPECT_OK(transfer->Wait());
  EXPECT_EQ(transfer->bytes_from(0), 0u);
}

TEST(TransportTest, AMessageOfTheSameTagWithAnotherStepIsDroppedAndCounted) {
  const auto transports = MakeTransports({.world_size = 2});
  RunRanks(transports, [](Transport& transport) {
    const uint64_t impostor_step = 5 + (uint64_t{1} << 24);  // tags hold 24 bits of the step
    if (transport.rank() == 1) {
      Buffer buffer(4096);
      ASSERT_OK_AND_ASSIGN(auto transfer, Receive(transport, Key(5), 0, buffer));
      ASSERT_OK(transfer->Wait());
      EXPECT_EQ(transfer->bytes_from(0), 1000u);
      EXPECT_TRUE(MessageMatches(Key(5), {0, 1}, buffer.data(), 1000));
      EXPECT_EQ(transport.counters().mismatched, 1u);
      EXPECT_EQ(transport.counters().messages_received, 1u);
      return;
    }
    Buffer wrong = Message(Key(impostor_step), 0, 1, 2000);
    Buffer right = Message(Key(5), 0, 1, 1000);
    ASSERT_OK_AND_ASSIGN(auto first, Send(transport, Key(impostor_step), 1, wrong));
    ASSERT_OK_AND_ASSIGN(auto second, Send(transport, Key(5), 1, right));
    EXPECT_OK(first->Wait());
    EXPECT_OK(second->Wait());
  });
}

TEST(TransportTest, WhatNobodyAskedForIsDroppedAndCountedWhenALaterStepBegins) {
  for (const size_t orphan_bytes : {size_t{1000}, size_t{1} << 20}) {
    const auto transports = MakeTransports({.world_size = 2});
    RunRanks(transports, [&](Transport& transport) {
      if (transport.rank() == 1) {
        // The second message comes after the first, so at step 7 the first is there.
        for (const uint64_t step : {6, 7}) {
          Buffer buffer(4096);
          ASSERT_OK_AND_ASSIGN(auto transfer, Receive(transport, Key(step), 0, buffer));
          ASSERT_OK(transfer->Wait());
          EXPECT_EQ(transfer->bytes_from(0), 1000u);
        }
        EXPECT_EQ(transport.counters().mismatched, 1u);
        return;
      }
      Buffer orphan = Message(Key(5), 0, 1, orphan_bytes);
      Buffer six = Message(Key(6), 0, 1, 1000);
      Buffer seven = Message(Key(7), 0, 1, 1000);
      ASSERT_OK_AND_ASSIGN(auto first, Send(transport, Key(5), 1, orphan));
      ASSERT_OK_AND_ASSIGN(auto second, Send(transport, Key(6), 1, six));
      ASSERT_OK(second->Wait());
      ASSERT_OK_AND_ASSIGN(auto third, Send(transport, Key(7), 1, seven));
      EXPECT_OK(third->Wait());
      EXPECT_OK(first->Wait());  // dropping a message lets its sender go
    });
  }
}

TEST(TransportTest, AMessageLongerThanItsBufferIsDataLoss) {
  for (const size_t bytes : {size_t{2000}, size_t{1} << 20}) {
    const auto transports = MakeTransports({.world_size = 2});
    RunRanks(transports, [&](Transport& transport) {
      if (transport.rank() == 1) {
        Buffer buffer(1000);
        ASSERT_OK_AND_ASSIGN(auto transfer, Receive(transport, Key(1), 0, buffer));
        EXPECT_STATUS(transfer->Wait(), absl::StatusCode::kDataLoss, "rank 0");
        EXPECT_TRUE(transfer->Progress());
        EXPECT_STATUS(transfer->Wait(), absl::StatusCode::kDataLoss, "rank 0");
        EXPECT_STATUS(Receive(transport, Key(2), 0, buffer), absl::StatusCode::kUnavailable,
                      "epoch is over");
        return;
      }
      Buffer message = Message(Key(1), 0, 1, bytes);
      ASSERT_OK_AND_ASSIGN(auto transfer, Send(transport, Key(1), 1, message));
      // It may have got rid of the message, or learn that the other has ended the epoch.
      const absl::Status status = transfer->Wait();
      EXPECT_TRUE(status.ok() || absl::IsUnavailable(status)) << status;
    });
  }
}

TEST(TransportTest, EndEpochWakesASleepingWait) {
  const auto transports = MakeTransports({.world_size = 2, .spin = std::chrono::nanoseconds(0)});
  Buffer buffer(1000);
  std::atomic<bool> posted{false};
  std::thread control([&] {
    while (!posted) std::this_thread::yield();
    transports[0]->EndEpoch("the coordinator said so");
  });
  ASSERT_OK_AND_ASSIGN(auto transfer, Receive(*transports[0], Key(1), 1, buffer));
  ASSERT_OK_AND_ASSIGN(auto other, Receive(*transports[0], Key(1, 1), 1, buffer));
  posted = true;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_STATUS(transfer->Wait(), absl::StatusCode::kUnavailable, "the coordinator said so");
  EXPECT_STATUS(other->Wait(), absl::StatusCode::kUnavailable, "the coordinator said so");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  control.join();
  EXPECT_STATUS(Receive(*transports[0], Key(2), 1, buffer), absl::StatusCode::kUnavailable,
                "the coordinator said so");
}

TEST(TransportTest, APeerThatLeavesIsUnavailable) {
  auto transports = MakeTransports({.world_size = 3});
  Buffer buffer(1000);
  ASSERT_OK_AND_ASSIGN(auto transfer, Receive(*transports[0], Key(1), 2, buffer));
  transports[2].reset();
  EXPECT_STATUS(transfer->Wait(), absl::StatusCode::kUnavailable, "rank 2");
}

TEST(TransportTest, APeerThatLeavesLeavesTheOthersTheirMessages) {
  auto transports = MakeTransports({.world_size = 3});
  Buffer buffer(1000);
  Buffer message = Message(Key(1), 1, 0, 1000);
  ASSERT_OK_AND_ASSIGN(auto from_1, Receive(*transports[0], Key(1), 1, buffer));
  transports[2].reset();
  ASSERT_OK_AND_ASSIGN(auto sent, Send(*transports[1], Key(1), 0, message));
  std::thread rank_1([&] { EXPECT_OK(sent->Wait()); });
  EXPECT_OK(from_1->Wait());
  EXPECT_EQ(from_1->bytes_from(1), 1000u);
  rank_1.join();
}

TEST(TransportTest, TheDeadlineEndsTheEpoch) {
  const auto transports =
      MakeTransports({.world_size = 3, .exchange_deadline = std::chrono::milliseconds(20)});
  Buffer buffer(1000);
  Buffer large = Message(Key(1), 0, 1, size_t{1} << 20);
  const MessageBuffer send = {1, large.data(), large.size()};
  const MessageBuffer receive = {2, buffer.data(), buffer.size()};
  ASSERT_OK_AND_ASSIGN(
      auto transfer,
      transports[0]->AllToAll({.key = Key(1), .send = {&send, 1}, .receive = {&receive, 1}}));
  EXPECT_STATUS(transfer->Wait(), absl::StatusCode::kDeadlineExceeded, "from 2");
  EXPECT_STATUS(Receive(*transports[0], Key(1, 1), 1, buffer), absl::StatusCode::kUnavailable,
                "epoch is over");
}

TEST(TransportTest, ATransferGivenUpFreesItsBuffers) {
  const auto transports = MakeTransports({.world_size = 2});
  RunRanks(transports, [](Transport& transport) {
    const int peer = 1 - transport.rank();
    {
      Buffer never_filled(1 << 20);
      ASSERT_OK_AND_ASSIGN(auto transfer, Receive(transport, Key(1), peer, never_filled));
      EXPECT_FALSE(transfer->Progress());
    }
    Buffer out = Message(Key(2), transport.rank(), peer, 5000);
    Buffer in(5000);
    const MessageBuffer send = {peer, out.data(), out.size()};
    const MessageBuffer receive = {peer, in.data(), in.size()};
    ASSERT_OK_AND_ASSIGN(
        auto transfer,
        transport.AllToAll({.key = Key(2), .send = {&send, 1}, .receive = {&receive, 1}}));
    EXPECT_OK(transfer->Wait());
    EXPECT_EQ(transfer->bytes_from(peer), 5000u);
  });
}

TEST(TransportTest, RefusesWhatIsOutOfBounds) {
  const auto transports = MakeTransports({.world_size = 3});
  Transport& transport = *transports[0];
  Buffer buffer(1000);
  const auto code = absl::StatusCode::kInvalidArgument;
  EXPECT_STATUS(Send(transport, Key(1), 0, buffer), code, "local rows stay");
  EXPECT_STATUS(Send(transport, Key(1), 3, buffer), code, "3 ranks");
  EXPECT_STATUS(Receive(transport, Key(1), -1, buffer), code, "rank -1");
  EXPECT_STATUS(Send(transport, Key(1, 256), 1, buffer), code, "layer 256");
  Buffer small(kMessageHeaderBytes - 1);
  EXPECT_STATUS(Receive(transport, Key(1), 1, small), code, "63 bytes");
  const MessageBuffer twice[] = {{1, buffer.data(), 500}, {1, buffer.data() + 500, 500}};
  EXPECT_STATUS(transport.AllToAll({.key = Key(1), .send = {}, .receive = twice}), code, "twice");
  MessageKey stale = Key(1);
  --stale.epoch.number;
  EXPECT_STATUS(transport.AllToAll({.key = stale}), absl::StatusCode::kFailedPrecondition,
                "epoch 3.6");
  EXPECT_EQ(transport.counters().messages_sent, 0u);
}

TEST(TransportTest, TheLayerLoopAllocatesNothing) {
  const auto transports = MakeTransports({.world_size = 2});
  RunRanks(transports, [](Transport& transport) {
    const int peer = 1 - transport.rank();
    std::array<Buffer, 4> buffers;
    buffers.fill(Buffer(10000));
    const auto layer = [&](uint64_t step, uint16_t index) {
      std::array<std::unique_ptr<Transfer>, 2> transfers;
      for (int i = 0; i < 2; ++i) {
        const MessageBuffer send = {peer, buffers[i].data(), buffers[i].size()};
        const MessageBuffer receive = {peer, buffers[2 + i].data(), buffers[2 + i].size()};
        auto started = transport.AllToAll(
            {.key = Key(step, index, i == 0 ? MessageKind::kDispatch : MessageKind::kCombine),
             .send = {&send, 1},
             .receive = {&receive, 1}});
        ASSERT_TRUE(started.ok());
        transfers[i] = std::move(started).value();
      }
      for (auto& transfer : transfers) ASSERT_TRUE(transfer->Wait().ok());
    };
    layer(1, 0);
    const int64_t before = testing::AllocationsOfThisThread();
    ::operator delete(::operator new(1));
    ASSERT_EQ(testing::AllocationsOfThisThread(), before + 1);  // the counter counts
    const int64_t begin = testing::AllocationsOfThisThread();
    for (uint64_t step = 2; step < 10; ++step) {
      for (uint16_t index = 0; index < 5; ++index) layer(step, index);
    }
    EXPECT_EQ(testing::AllocationsOfThisThread(), begin);
  });
}

}  // namespace
}  // namespace atl::worker
