// The engine's numbers on the metrics page.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/metrics/registry.h"
#include "coordinator/engine/engine_observer.h"

namespace atl::coordinator {

// Rows by expert are many series (layers × experts): each layer's largest and mean count are always
// shown, all of them only where asked for.
enum class ExpertRows { kByLayer, kByExpert };

// **Threads**: the engine's, except Refresh (any). **Lifetime**: the registry outlives it.
class EngineMetrics : public EngineObserver {
 public:
  EngineMetrics(Registry& registry, ExpertRows expert_rows);

  void OnStep(const StepSummary& step) override;
  void OnWorkerStep(int32_t rank, const StepStats& stats) override;
  void OnGauges(const EngineGauges& gauges) override;
  void OnPreempted(int32_t rank) override;
  void OnRequestEnd(const RequestSummary& request) override;
  void OnWorkerLost(int32_t rank) override;

  // Brings what is derived up to date; call it before the page is rendered.
  void Refresh();

 private:
  struct Worker {
    Counter rows_local;
    Counter rows_remote;
    Counter bytes_sent;
    Counter batch_rows;
    Histogram kernels;
    Histogram waiting;
    Histogram other;
    Gauge blocks_free;
    Gauge blocks_total;
    Gauge slots_free;
    Gauge running;
    Gauge prefill_left;
    Gauge kv_bytes_free;
    Gauge kv_bytes_total;
    Gauge state_bytes_free;
    Gauge state_bytes_total;
    Counter preemptions;
  };
  struct Families;
  Worker& WorkerOf(int32_t rank);
  void ShowPool(int64_t blocks);

  Registry& registry_;
  const ExpertRows expert_rows_;
  Counter steps_;
  Gauge running_;
  Gauge waiting_;
  Gauge workers_joined_;
  Gauge ready_;
  Counter workers_lost_;
  std::map<int32_t, Worker> workers_;
  // By StepKind.
  std::vector<Histogram> step_rows_;
  std::vector<Histogram> step_seconds_;
  Histogram outside_kernels_;
  Histogram prediction_error_;
  Histogram queued_;
  Histogram prefill_;
  Histogram decode_;
  Histogram preempted_;
  Gauge usage_;
  Gauge saturation_;
  int64_t blocks_shown_ = 0;
  // Of the workers that have reported since the last OnStep.
  uint32_t kernels_us_max_ = 0;
  uint32_t total_us_max_ = 0;

  std::mutex mutex_;  // guards the next
  // layer → rows by expert, since the last Refresh
  std::map<uint16_t, std::vector<uint64_t>> by_expert_;
  std::mutex refresh_mutex_;                         // guards the next
  std::map<uint16_t, std::vector<uint64_t>> shown_;  // the same since the start
};

}  // namespace atl::coordinator
