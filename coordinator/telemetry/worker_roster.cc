#include "coordinator/telemetry/worker_roster.h"

#include <algorithm>

namespace atl::coordinator {
namespace {

// The label is a worker's word: only words that we know become one.
std::string KnownKernels(const std::string& kernels) {
  for (const char* known : {"ref", "avx2", "avx512", "cuda"}) {
    if (kernels == known) return known;
  }
  return "other";
}

}  // namespace

void WorkerRoster::OnHello(WorkerId worker, WorkerHello hello) {
  {
    std::lock_guard lock(mutex_);
    kernels_.emplace_back(worker, KnownKernels(hello.kernels));
    Export(1);
  }
  next_.OnHello(worker, std::move(hello));
}

void WorkerRoster::OnReady(WorkerId worker, absl::StatusOr<WorkerReady> ready) {
  next_.OnReady(worker, std::move(ready));
}

void WorkerRoster::OnResult(WorkerId worker, StepResult result) {
  next_.OnResult(worker, std::move(result));
}

void WorkerRoster::OnClosed(WorkerId worker, absl::Status why) {
  {
    std::lock_guard lock(mutex_);
    Export(0);
    std::erase_if(kernels_, [worker](const auto& entry) { return entry.first == worker; });
    Export(1);
  }
  next_.OnClosed(worker, std::move(why));
}

std::map<std::string, std::string> WorkerRoster::KernelsByWorker() const {
  std::lock_guard lock(mutex_);
  std::map<std::string, std::string> by_worker;
  for (size_t i = 0; i < kernels_.size(); ++i) by_worker[std::to_string(i)] = kernels_[i].second;
  return by_worker;
}

void WorkerRoster::Export(double value) const {
  for (size_t i = 0; i < kernels_.size(); ++i) {
    registry_
        .AddGauge({"atoll_kernels_info",
                   "1: the kernels that a worker runs.",
                   {{"worker", std::to_string(i)}, {"backend", kernels_[i].second}}})
        .Set(value);
  }
}

}  // namespace atl::coordinator
