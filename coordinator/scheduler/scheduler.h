// Scheduler: state in, plan out. No clock, no I/O, no thread: the same calls give the same plans.
//
//   Scheduler scheduler(options, epoch, homes);
//   scheduler.Add(SeqId{1}, request);
//   while (auto step = scheduler.PlanStep()) { send step->plans; for each result: Apply(...); }
//
// It plans from predicted lengths, so PlanStep may be called again before results have come.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "common/step/step_plan.h"
#include "coordinator/kv_index/home_ledger.h"
#include "coordinator/request/request.h"
#include "coordinator/request/sequence.h"

namespace atl {

// What one worker can be home of.
struct HomeCapacity {
  int32_t kv_blocks = 0;
  int32_t state_slots = 0;
  int32_t spares = 0;  // continuing pieces longer than late_rows in one step
  int32_t late_rows = 1;
};

struct SchedulerOptions {
  int32_t max_num_seqs = 64;             // running, over all homes
  int32_t max_num_batched_tokens = 512;  // rows of a step, over all homes
  int32_t logit_rows_max = 64;           // rows of a step and home whose logits are reported
};

// A step for every rank, and what it holds.
struct PlannedStep {
  std::vector<StepPlan> plans{};  // by rank
  int32_t decode_rows = 0;
  int32_t prefill_rows = 0;
  int32_t num_sequences = 0;
};

// What a report changed. `known` is false for a sequence that had been removed meanwhile.
struct SequenceUpdate {
  bool known = false;
  bool ended = false;
  FinishReason reason = FinishReason::kStop;
};

class Scheduler {
 public:
  Scheduler(SchedulerOptions options, Epoch epoch, const std::vector<HomeCapacity>& homes);

  // Puts a request behind all that wait. It must fit its limits: CheckRequest with limits() of
  // these homes. A request without a seed must have been given one.
  void Add(SeqId seq, Request request);
  // Takes a request out wherever it stands; its home is told with the next plan. False: unknown.
  bool Remove(SeqId seq);
  // Nothing when no row can be planned now.
  std::optional<PlannedStep> PlanStep();
  // kDataLoss: the report contradicts what was planned; its worker cannot be trusted any more.
  absl::StatusOr<SequenceUpdate> Apply(int32_t rank, const SequenceResult& result);

  // Tokens of prompt and answer together that the largest home can hold.
  int64_t tokens_max() const;
  int32_t num_running() const { return static_cast<int32_t>(running_.size()); }
  int32_t num_waiting() const { return static_cast<int32_t>(waiting_.size()); }
  int32_t num_homes() const { return static_cast<int32_t>(homes_.size()); }
  const HomeLedger& ledger(int32_t rank) const { return homes_[static_cast<size_t>(rank)].ledger; }

 private:
  struct Home {
    HomeCapacity capacity;
    HomeLedger ledger;
    std::vector<SeqId> to_free;  // goes into the next plan
  };
  struct Waiting {
    SeqId id{};
    Request request;
  };
  struct StepBudget;

  void PlanDecode(StepBudget& budget);
  void PlanPrefill(StepBudget& budget);
  void Admit(StepBudget& budget);
  // Plans a row or a piece of up to `rows_max` rows; false where the budget allows none.
  bool PlanWork(Sequence& sequence, StepBudget& budget);
  int32_t PieceRows(const Sequence& sequence, const StepBudget& budget) const;
  std::optional<int32_t> ChooseHome(const Request& request) const;
  int64_t PromptRowsLeft(int32_t rank) const;
  void End(SeqId seq);

  const SchedulerOptions options_;
  const Epoch epoch_;
  uint64_t step_ = 0;
  std::vector<Home> homes_;
  std::deque<Waiting> waiting_;
  // In order of arrival: ids grow with it.
  std::map<SeqId, Sequence> running_;
};

}  // namespace atl
