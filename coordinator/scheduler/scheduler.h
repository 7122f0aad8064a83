// Scheduler: state in, plan out. No clock, no I/O, no thread: the same calls give the same plans.
//
//   Scheduler scheduler(options, epoch, homes);
//   scheduler.Add(SeqId{1}, request);
//   while (auto step = scheduler.PlanStep()) { send step->plans; for each result: Apply(...); }
//
// It plans from predicted lengths, so PlanStep may be called again before results have come. Who
// comes first is said by (priority, arrival) everywhere: decode rows before chunks of prompts,
// those before admissions; nobody is admitted while one that comes before waits. A sequence that
// grows when its home has no free block takes those of the last one there, which is recomputed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "common/step/home_capacity.h"
#include "common/step/step_plan.h"
#include "coordinator/cache/home_ledger.h"
#include "coordinator/request/request.h"
#include "coordinator/request/sequence.h"
#include "coordinator/scheduler/cost_model.h"

namespace atl::coordinator {

struct SchedulerOptions {
  int32_t max_num_seqs = 64;             // running, over all homes
  int32_t max_num_batched_tokens = 512;  // rows of a step, over all homes
  int32_t logit_rows_max = 64;           // rows of a step and home whose logits are reported
  int64_t step_time_target_us = 0;       // chunks are cut to it; 0: only by the rows of a step
};

// A sequence that lost its blocks in this step.
struct Preemption {
  SeqId seq{};
  int32_t rank = 0;
};

// A step for every rank, and what it holds. One without sequences only frees.
struct PlannedStep {
  std::vector<StepPlan> plans{};    // by rank
  std::vector<StepShape> shapes{};  // by rank
  int64_t predicted_us = 0;         // of the slowest home
  int32_t decode_rows = 0;
  int32_t prefill_rows = 0;
  int32_t num_sequences = 0;
  std::vector<Preemption> preempted{};
};

// What a report changed. `known` is false for a sequence that had been removed meanwhile; `reason`
// is kNone while it goes on.
struct SequenceUpdate {
  bool known = false;
  FinishReason reason = FinishReason::kNone;

  bool ended() const { return reason != FinishReason::kNone; }
};

class Scheduler {
 public:
  Scheduler(SchedulerOptions options, Epoch epoch, const std::vector<HomeCapacity>& homes);

  // Puts a request behind all that wait with its priority. It must fit its limits: CheckRequest
  // with tokens_max() of these homes. A request without a seed must have been given one. Ids
  // ascend.
  void Add(SeqId seq, Request request);
  // Takes a request out wherever it stands; its home is told with the next plan. False: unknown.
  bool Remove(SeqId seq);
  // Nothing when no row can be planned now and nobody is to be freed.
  std::optional<PlannedStep> PlanStep();
  // kDataLoss: the report contradicts what was planned; its worker cannot be trusted any more.
  absl::StatusOr<SequenceUpdate> Apply(int32_t rank, const SequenceResult& result);
  // A step of these shapes has taken `duration_us` on its slowest home.
  void ObserveStep(std::span<const StepShape> shapes, int64_t duration_us);

  // Tokens of prompt and answer together that the largest home can hold.
  int64_t tokens_max() const;
  int32_t num_running() const { return num_running_; }
  int32_t num_waiting() const { return static_cast<int32_t>(waiting_.size()); }
  int32_t num_homes() const { return static_cast<int32_t>(homes_.size()); }
  const HomeLedger& ledger(int32_t rank) const { return HomeAt(rank).ledger; }
  const HomeCapacity& capacity(int32_t rank) const { return HomeAt(rank).capacity; }
  // Tokens of admitted prompts that are not yet planned.
  int64_t prefill_rows_left(int32_t rank) const { return HomeAt(rank).prefill_rows_left; }

 private:
  struct Home {
    HomeCapacity capacity;
    HomeLedger ledger;
    std::map<QueuePlace, Sequence*> running{};
    int32_t num_prefilling = 0;     // of those, with a part of their prefill not yet planned
    int64_t prefill_rows_left = 0;  // … and that part
    std::vector<SeqId> to_free{};   // goes into the next plan
  };
  struct StepDraft;

  Home& HomeAt(int32_t rank) { return homes_[static_cast<size_t>(rank)]; }
  const Home& HomeAt(int32_t rank) const { return homes_[static_cast<size_t>(rank)]; }

  void PlanDecode(StepDraft& draft);
  void PlanPrefill(StepDraft& draft);
  void Admit(StepDraft& draft);
  void Seal(StepDraft& draft);
  // Rows that a decoding sequence gets in this step.
  int32_t DecodeRows(const Sequence& sequence, const StepDraft& draft) const;
  // Rows of the next chunk of a sequence that still has `rows_left` of them at `begin`.
  int32_t ChunkRows(const Sequence& sequence, int32_t rank, const StepDraft& draft) const;
  // What a step with the answers of `shape` may take, prompts included.
  int64_t StepTimeUs(const StepShape& shape) const;
  void PlanWork(Sequence& sequence, int32_t rows, StepDraft& draft);
  std::optional<int32_t> ChooseHome(const Sequence& sequence, const StepDraft& draft) const;
  bool CanAdmit(const Sequence& sequence, int32_t rank, const StepDraft& draft) const;
  // Preempts the last of the home until `blocks` are free; false when that was the sequence itself.
  bool PreemptFor(const Sequence& sequence, int64_t blocks, StepDraft& draft);
  void Preempt(Sequence& sequence, StepDraft& draft);
  // The sequence's slot and blocks may be given out again at once: the plan that does so names it
  // in `free`, which its home applies first, and plans run in order.
  void Release(Sequence& sequence);
  void End(SeqId seq);

  const SchedulerOptions options_;
  const Epoch epoch_;
  uint64_t step_ = 0;
  CostModel cost_;
  std::vector<Home> homes_;
  SeqId last_added_{};
  int32_t num_running_ = 0;
  std::map<SeqId, Sequence> sequences_;  // all that have not ended
  std::map<QueuePlace, Sequence*> waiting_;
};

}  // namespace atl::coordinator
