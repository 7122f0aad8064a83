#include "tests/worker/transport/ucx/ucx_cluster.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "tests/worker/transport/conformance.h"

namespace atl::worker {

UcxRanks CreateUcxRanks(int world_size, const UcxOptions& options) {
  UcxRanks ranks;
  for (int rank = 0; rank < world_size; ++rank) {
    auto transport = UcxTransport::Create(options);
    CHECK_OK(transport.status());
    ranks.push_back(std::move(transport).value());
  }
  return ranks;
}

std::vector<std::string> AddressesOf(const UcxRanks& ranks) {
  std::vector<std::string> addresses;
  for (const auto& transport : ranks) addresses.push_back(transport->address());
  return addresses;
}

std::vector<absl::Status> JoinAll(const UcxRanks& ranks, Epoch epoch) {
  const std::vector<std::string> addresses = AddressesOf(ranks);
  std::vector<absl::Status> joined(ranks.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    threads.emplace_back(
        [&, rank] { joined[rank] = ranks[rank]->Join(epoch, static_cast<int>(rank), addresses); });
  }
  for (std::thread& thread : threads) thread.join();
  return joined;
}

absl::Status SwapWithAll(Transport& transport, const MessageKey& key, size_t payload_bytes) {
  const size_t size_bytes = kMessageHeaderBytes + payload_bytes;
  const int world_size = transport.world_size();
  const auto filled_by = [](int rank) { return static_cast<std::byte>(17 * rank + 5); };
  std::vector<std::vector<std::byte>> out(world_size), in(world_size);
  std::vector<MessageBuffer> send, receive;
  for (int peer = 0; peer < world_size; ++peer) {
    if (peer == transport.rank()) continue;
    out[peer].assign(size_bytes, filled_by(transport.rank()));
    in[peer].assign(size_bytes, std::byte{0});
    send.push_back({peer, out[peer].data(), size_bytes});
    receive.push_back({peer, in[peer].data(), size_bytes});
  }
  ATOLL_ASSIGN_OR_RETURN(auto transfer,
                         transport.AllToAll({.key = key, .send = send, .receive = receive}));
  ATOLL_RETURN_IF_ERROR(transfer->Wait());
  for (const MessageBuffer& message : receive) {
    const bool good = transfer->bytes_from(message.rank) == size_bytes &&
                      std::all_of(message.data + kMessageHeaderBytes, message.data + size_bytes,
                                  [&](std::byte b) { return b == filled_by(message.rank); });
    if (!good) return DataLoss("rank {} sent something else", message.rank);
  }
  return absl::OkStatus();
}

std::vector<std::unique_ptr<Transport>> MakeTransports(const ClusterOptions& options) {
  UcxRanks ranks = CreateUcxRanks(
      options.world_size, {.spin = options.spin, .exchange_deadline = options.exchange_deadline});
  for (const absl::Status& joined : JoinAll(ranks, options.epoch)) CHECK_OK(joined);
  return {std::make_move_iterator(ranks.begin()), std::make_move_iterator(ranks.end())};
}

}  // namespace atl::worker
