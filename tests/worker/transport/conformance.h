// What every transport must do: the suite is compiled into one test binary per transport, which
// says how its ranks are made.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "worker/transport/transport.h"

namespace atl::worker {

struct ClusterOptions {
  int world_size = 2;
  Epoch epoch = {.term = 3, .number = 7};
  std::chrono::nanoseconds spin = std::chrono::microseconds(50);
  std::chrono::nanoseconds exchange_deadline = std::chrono::seconds(60);
};

// The joined transports of all ranks, by rank. Defined by each binary.
std::vector<std::unique_ptr<Transport>> MakeTransports(const ClusterOptions& options);

// Runs `body` for every rank in a thread of its own and waits for all.
void RunRanks(std::span<const std::unique_ptr<Transport>> transports,
              const std::function<void(Transport&)>& body);

}  // namespace atl::worker
