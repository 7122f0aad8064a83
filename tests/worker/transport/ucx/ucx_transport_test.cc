#include "worker/transport/ucx/ucx_transport.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/transport/conformance.h"

namespace atl::testing {
namespace {

using Made = std::vector<std::unique_ptr<UcxTransport>>;

Made CreateAll(int world_size, const UcxOptions& options) {
  Made made;
  for (int rank = 0; rank < world_size; ++rank) {
    auto transport = UcxTransport::Create(options);
    CHECK_OK(transport.status());
    made.push_back(std::move(transport).value());
  }
  return made;
}

std::vector<std::string> AddressesOf(const Made& made) {
  std::vector<std::string> addresses;
  for (const auto& transport : made) addresses.push_back(transport->address());
  return addresses;
}

std::vector<absl::Status> JoinAll(const Made& made, Epoch epoch) {
  const std::vector<std::string> addresses = AddressesOf(made);
  std::vector<absl::Status> joined(made.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < made.size(); ++rank) {
    threads.emplace_back(
        [&, rank] { joined[rank] = made[rank]->Join(epoch, static_cast<int>(rank), addresses); });
  }
  for (std::thread& thread : threads) thread.join();
  return joined;
}

}  // namespace

std::vector<std::unique_ptr<Transport>> MakeTransports(const ClusterOptions& options) {
  Made made = CreateAll(options.world_size,
                        {.spin = options.spin, .exchange_deadline = options.exchange_deadline});
  for (const absl::Status& joined : JoinAll(made, options.epoch)) CHECK_OK(joined);
  return {std::make_move_iterator(made.begin()), std::make_move_iterator(made.end())};
}

}  // namespace atl::testing
