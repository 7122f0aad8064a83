// WorkerLink: the coordinator's end of the workers' gRPC streams. Workers dial; each stream is one
// worker, and a closed stream a dead one.
//
//   auto link = WorkerLink::Create({.address = "0.0.0.0:0"});
//   auto engine = Engine::Create(options, **link, observer);
//   auto port = (*link)->Start((*engine)->worker_events());
//   … (*engine)->Drain(…); (*link)->Stop(absl::Seconds(5));   // then the engine may go
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "coordinator/worker_link/worker_channel.h"

namespace atl::coordinator {

struct WorkerLinkOptions {
  std::string address = "0.0.0.0:0";  // HOST:PORT; port 0 picks a free one
  // A worker that answers no ping for keepalive_timeout is dead: a cut cable, a stopped process.
  absl::Duration keepalive_interval = absl::Seconds(10);
  absl::Duration keepalive_timeout = absl::Seconds(20);
};

class WorkerLink : public WorkerChannel {
 public:
  static std::unique_ptr<WorkerLink> Create(WorkerLinkOptions options);
  ~WorkerLink() override = default;

  // Listens and reports to `events` until Stop has returned. The port. kUnavailable: the address
  // cannot be listened on. Once only.
  virtual absl::StatusOr<int> Start(WorkerEvents& events) = 0;
  // Waits up to `limit` for the workers to close their streams, then cuts them. No event comes
  // after it. Called by the destructor too.
  virtual void Stop(absl::Duration limit) = 0;
};

}  // namespace atl::coordinator
