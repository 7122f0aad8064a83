// The transport between processes and machines: UCX over shared memory, TCP or RDMA, whichever it
// finds (UCX_TLS and UCX_NET_DEVICES choose).
//
//   auto transport = UcxTransport::Create({});
//   …transport->address() travels to the coordinator, and all addresses come back…
//   ATOLL_RETURN_IF_ERROR(transport->Join(epoch, rank, addresses));
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "worker/transport/transport.h"

namespace atl::worker {

struct UcxOptions {
  // How long a Wait polls before it sleeps.
  std::chrono::nanoseconds spin = std::chrono::microseconds(50);
  // How long a Wait lasts at most: a peer may be in a long prefill.
  std::chrono::nanoseconds exchange_deadline = std::chrono::seconds(60);
  // How long Join waits for all hellos.
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(30);
};

// Threads: everything but EndEpoch by one thread at a time. A peer's death is noticed within
// milliseconds over TCP and about a second over shared memory when UCX sees it at all; a stopped or
// cut-off peer only by the deadline. Leaving (destroying) tells the others that this rank is gone.
class UcxTransport : public Transport {
 public:
  // kUnavailable: UCX has no transport that can tell of a dead peer. Variables UCX_* of the
  // environment win over Atoll's defaults; UCX's own crash handlers are taken out.
  static absl::StatusOr<std::unique_ptr<UcxTransport>> Create(const UcxOptions& options);

  // What others need to connect: opaque bytes, not text; the same for the object's life.
  virtual const std::string& address() const = 0;

  // Connects to all others (addresses[r] is rank r's) and swaps one hello with each, which proves
  // that they mean the same epoch, ranks and members. Again for a later epoch, once this one was
  // ended and no Transfer is held; an EndEpoch before Join is forgotten. rank() is -1 before.
  // kUnavailable, kDeadlineExceeded: which rank did not answer; join a later epoch.
  // kInvalidArgument: not an address, or not this rank's. kFailedPrecondition: epoch not later.
  virtual absl::Status Join(Epoch epoch, int rank, std::span<const std::string> addresses) = 0;
};

}  // namespace atl::worker
