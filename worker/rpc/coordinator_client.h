// CoordinatorClient: the worker's end of the stream to the coordinator. It dials, redials for ever,
// introduces the worker and carries orders in and reports out.
//
//   auto client = CoordinatorClient::Create({.address = "host:9100"}, handler);
//   client->Start();
//   client->SendReady(ready, epoch, rank);  client->SendResult(result);
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/step/step_plan.h"

namespace atl::worker {

// What the coordinator says. Called on the client's threads, one call at a time and in order; must
// not block, and must not destroy the client.
class WorkerHandler {
 public:
  virtual ~WorkerHandler() = default;
  // What this worker says of itself; asked before every dial.
  virtual WorkerHello Hello() = 0;
  virtual void OnEpochStart(EpochStart start) = 0;
  virtual void OnPlan(StepPlan plan) = 0;
  virtual void OnEpochEnd(Epoch epoch, std::string reason) = 0;
  // Finish the step under way and exit 0.
  virtual void OnShutdown() = 0;
  // The coordinator does not take this worker as it is: `why` says what to change. Nothing is
  // dialled any more.
  virtual void OnRefused(absl::Status why) = 0;
  // A stream on which the coordinator had spoken is closed: its epoch is over. It is redialled.
  virtual void OnDisconnected(absl::Status why) = 0;
};

struct CoordinatorClientOptions {
  std::string address;  // HOST:PORT
  absl::Duration redial_interval = absl::Milliseconds(200);
  absl::Duration keepalive_interval = absl::Seconds(10);
  absl::Duration keepalive_timeout = absl::Seconds(20);
};

class CoordinatorClient {
 public:
  // `handler` outlives the client.
  static std::unique_ptr<CoordinatorClient> Create(CoordinatorClientOptions options,
                                                   WorkerHandler& handler);
  // Sends what is queued, closes the stream (cuts it after two seconds) and stops dialling.
  virtual ~CoordinatorClient() = default;

  // Begins to dial; the handler is called from now on. Once.
  virtual void Start() = 0;

  // Any thread; never block. What speaks of another epoch than the one that the open stream has
  // started is dropped: that epoch is over.
  virtual void SendReady(const absl::StatusOr<WorkerReady>& ready, Epoch epoch, int32_t rank) = 0;
  virtual void SendResult(const StepResult& result) = 0;
};

}  // namespace atl::worker
