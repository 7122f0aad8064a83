// The transport between threads of one process: copies the same messages, headers included, that
// travel between machines.
//
//   auto transports = InprocGroup::Create({.world_size = 2, .epoch = epoch});  // one per rank
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "worker/transport/transport.h"

namespace atl::worker {

struct InprocOptions {
  int world_size = 1;
  Epoch epoch = {};
  // How long a Wait polls before it sleeps.
  std::chrono::nanoseconds spin = std::chrono::microseconds(50);
  // How long a Wait lasts at most.
  std::chrono::nanoseconds exchange_deadline = std::chrono::seconds(60);
};

class InprocGroup {
 public:
  // Entry r is rank r's transport; each is used by one thread and may be destroyed at any time: its
  // rank is then gone for the others. A later epoch is a new group. A send is done when its
  // receiver took the message or dropped it: nothing is buffered between.
  // kInvalidArgument: world_size is not in [1, 4096].
  static absl::StatusOr<std::vector<std::unique_ptr<Transport>>> Create(
      const InprocOptions& options);
};

}  // namespace atl::worker
