// Who the workers are, for people: /version and the metrics. Passes everything on to the engine.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "common/metrics/registry.h"
#include "coordinator/worker_link/worker_channel.h"

namespace atl::coordinator {

// Workers are named as the engine ranks them: by order of joining. **Lifetime**: outlived by `next`
// and `registry`.
class WorkerRoster : public WorkerEvents {
 public:
  WorkerRoster(WorkerEvents& next, Registry& registry) : next_(next), registry_(registry) {}

  void OnHello(WorkerId worker, WorkerHello hello) override;
  void OnReady(WorkerId worker, absl::StatusOr<WorkerReady> ready) override;
  void OnResult(WorkerId worker, StepResult result) override;
  void OnClosed(WorkerId worker, absl::Status why) override;

  std::map<std::string, std::string> KernelsByWorker() const;  // any thread

 private:
  void Export(double value) const;  // atoll_kernels_info of all who are here

  WorkerEvents& next_;
  Registry& registry_;
  mutable std::mutex mutex_;
  std::vector<std::pair<WorkerId, std::string>> kernels_;  // in order of joining
};

}  // namespace atl::coordinator
