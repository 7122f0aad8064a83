// The coordinator's view of its workers' streams: what goes down and what comes up. The engine is
// written against it, so that it runs without gRPC.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"
#include "common/step/step_plan.h"
#include "coordinator/membership/membership.h"

namespace atl::coordinator {

// Sends to workers. Never blocks; what is sent to a closed stream is dropped (its OnClosed has come
// or will come). Messages to one worker keep their order. Any thread.
class WorkerChannel {
 public:
  virtual ~WorkerChannel() = default;
  virtual void SendEpochStart(WorkerId worker, const EpochStart& start) = 0;
  virtual void SendPlan(WorkerId worker, const StepPlan& plan) = 0;
  virtual void SendEpochEnd(WorkerId worker, Epoch epoch, const std::string& reason) = 0;
  virtual void SendShutdown(WorkerId worker) = 0;
  // Says why this worker cannot serve and closes its stream. kUnavailable: it may come again.
  virtual void Refuse(WorkerId worker, const absl::Status& why) = 0;
};

// What comes from workers, on the channel's threads; must not block for long. For one worker:
// OnHello first, OnClosed last, calls in the order of its messages. A malformed message closes.
class WorkerEvents {
 public:
  virtual ~WorkerEvents() = default;
  virtual void OnHello(WorkerId worker, WorkerHello hello) = 0;
  virtual void OnReady(WorkerId worker, absl::StatusOr<WorkerReady> ready) = 0;
  virtual void OnResult(WorkerId worker, StepResult result) = 0;
  virtual void OnClosed(WorkerId worker, absl::Status why) = 0;
};

}  // namespace atl::coordinator
