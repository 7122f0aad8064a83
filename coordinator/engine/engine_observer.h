// EngineObserver: who is told what the engine does, in plain numbers. main.cc makes it the metrics.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/step/finish_reason.h"
#include "common/step/home_capacity.h"
#include "common/step/step_plan.h"
#include "coordinator/request/request.h"
#include "coordinator/request/request_timings.h"

namespace atl::coordinator {

enum class StepKind : uint8_t { kDecode, kPrefill, kMixed };

// One step that every worker has reported. Rows are those that ran; a step whose sequences had all
// ended before it has none.
struct StepSummary {
  uint64_t step = 0;
  StepKind kind = StepKind::kDecode;  // as planned
  int64_t planned_rows = 0;
  int64_t rows = 0;
  int32_t decode_rows = 0;   // of planned_rows
  int32_t prefill_rows = 0;  // of planned_rows
  int32_t planned_sequences = 0;
  absl::Duration duration{};   // from sending the plan to the last report
  absl::Duration predicted{};  // what the scheduler took it to need
};

// The home side of one worker, as the ledger sees it now.
struct HomeGauges {
  HomeCapacity capacity{};
  int32_t running = 0;            // sequences at home there
  int64_t prefill_rows_left = 0;  // tokens of their prompts that are not yet planned
  int64_t blocks_free = 0;
  int32_t slots_free = 0;

  int64_t kv_bytes_total() const { return capacity.kv_blocks * capacity.bytes_per_block; }
  int64_t kv_bytes_free() const { return blocks_free * capacity.bytes_per_block; }
  // Of slots and spares; spares are free between steps.
  int64_t state_bytes_total() const {
    return (int64_t{capacity.state_slots} + capacity.spares) * capacity.bytes_per_state;
  }
  int64_t state_bytes_free() const {
    return (int64_t{slots_free} + capacity.spares) * capacity.bytes_per_state;
  }
};

struct EngineGauges {
  int32_t running = 0;
  int32_t waiting = 0;
  int32_t workers_joined = 0;
  bool ready = false;
  std::vector<HomeGauges> homes{};  // by rank
};

// How an accepted request ended.
struct RequestSummary {
  FinishReason reason = FinishReason::kNone;
  int64_t prompt_tokens = 0;
  int64_t generated_tokens = 0;
  RequestTimings timings{};
};

// Called on the engine thread; must not block.
class EngineObserver {
 public:
  virtual ~EngineObserver() = default;
  virtual void OnStep(const StepSummary& step) = 0;
  // Once per worker and step; counters are since that worker's last report.
  virtual void OnWorkerStep(int32_t rank, const StepStats& stats) = 0;
  // After every change that a step, an admission or a membership event made.
  virtual void OnGauges(const EngineGauges& gauges) = 0;
  // A sequence at home on `rank` lost its blocks to an older one; it will be recomputed.
  virtual void OnPreempted(int32_t rank) = 0;
  // An accepted request ended.
  virtual void OnRequestEnd(const RequestSummary& request) = 0;
  // A worker of the running epoch was lost.
  virtual void OnWorkerLost(int32_t rank) = 0;
};

}  // namespace atl::coordinator
