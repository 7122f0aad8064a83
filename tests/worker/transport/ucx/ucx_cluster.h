// UCX ranks as threads of this process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "worker/transport/ucx/ucx_transport.h"

namespace atl::worker {

using UcxRanks = std::vector<std::unique_ptr<UcxTransport>>;

UcxRanks CreateUcxRanks(int world_size, const UcxOptions& options = {});
std::vector<std::string> AddressesOf(const UcxRanks& ranks);
// Join on all ranks at once, each in a thread; the statuses by rank.
std::vector<absl::Status> JoinAll(const UcxRanks& ranks, Epoch epoch);

// Swaps one message of `payload_bytes` with every other rank and checks what came; the first
// status that is not OK.
absl::Status SwapWithAll(Transport& transport, const MessageKey& key, size_t payload_bytes);

}  // namespace atl::worker
