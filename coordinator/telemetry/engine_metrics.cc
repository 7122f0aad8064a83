#include "coordinator/telemetry/engine_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/base/kv_block.h"
#include "coordinator/cache/home_ledger.h"

namespace atl::coordinator {
namespace {

constexpr const char* kStepKinds[] = {"decode", "prefill", "mixed"};  // as StepKind
// Exact for small batches: the mean of decode steps is read from here.
const std::vector<double> kRowBounds = {1,  2,  3,  4,  5,   6,   7,   8,    12,   16,   24,
                                        32, 48, 64, 96, 128, 256, 512, 1024, 2048, 4096, 8192};

double Seconds(uint32_t microseconds) { return microseconds * 1e-6; }

double UsedShare(int64_t free, int64_t total) {
  return total == 0 ? 0.0 : 1.0 - static_cast<double>(free) / static_cast<double>(total);
}

}  // namespace

// What is counted, by the words that people read. Histograms begin at `first`, each bound `factor`
// times the last.
struct EngineMetrics::Families {
  template <typename Owner, typename Series>
  struct Row {
    Series Owner::*series;
    const char* name;
    const char* help;
  };
  struct DurationRow {
    Histogram EngineMetrics::*series;
    const char* name;
    const char* help;
    double first;
    double factor;
    int count;
  };
  struct PartRow {
    Histogram Worker::*series;
    const char* part;
  };
  struct OriginRow {
    Counter Worker::*series;
    const char* origin;
  };

  static constexpr Row<EngineMetrics, Counter> kCounters[] = {
      {&EngineMetrics::steps_, "atoll_steps_total", "Steps that every worker reported."},
      {&EngineMetrics::workers_lost_, "atoll_workers_lost_total",
       "Workers of a running epoch that were lost."},
  };
  static constexpr Row<EngineMetrics, Gauge> kGauges[] = {
      {&EngineMetrics::running_, "atoll_sequences_running", "Sequences admitted."},
      {&EngineMetrics::waiting_, "atoll_sequences_waiting", "Sequences in the queue."},
      {&EngineMetrics::workers_joined_, "atoll_workers", "Workers joined."},
      {&EngineMetrics::ready_, "atoll_ready", "1: requests are taken."},
      {&EngineMetrics::usage_, "atoll_kv_usage_ratio",
       "Share of the blocks in use, of the fullest worker; 1 is all."},
      {&EngineMetrics::saturation_, "atoll_saturation",
       "0 to 1, for autoscalers: 1 while requests wait, else the largest share of blocks or states "
       "in use of any worker."},
  };
  static constexpr DurationRow kDurations[] = {
      {&EngineMetrics::outside_kernels_, "atoll_step_outside_kernels_seconds",
       "A step's time on its slowest worker, less the longest kernel time of any.", 0.00005, 1.5,
       30},
      {&EngineMetrics::prediction_error_, "atoll_step_prediction_error_seconds",
       "By how much a step took longer or shorter than predicted.", 0.0001, 2, 24},
      {&EngineMetrics::queued_, "atoll_request_queue_seconds",
       "A request's time until the first plan that starts it.", 0.0001, 2, 24},
      {&EngineMetrics::prefill_, "atoll_request_prefill_seconds",
       "A request's time from its first plan to its first token.", 0.0001, 2, 24},
      {&EngineMetrics::decode_, "atoll_request_decode_seconds",
       "A request's time from its first token to its end.", 0.0001, 2, 24},
      {&EngineMetrics::preempted_, "atoll_request_preempted_seconds",
       "A preempted request's time from losing its blocks to its next token.", 0.0001, 2, 24},
  };
  // Of each worker.
  static constexpr Row<Worker, Counter> kWorkerCounters[] = {
      {&Worker::bytes_sent, "atoll_worker_bytes_sent_total", "Bytes sent to other workers."},
      {&Worker::batch_rows, "atoll_worker_batch_rows_total", "Rows of the worker's own batches."},
      {&Worker::preemptions, "atoll_preemptions_total",
       "Sequences that lost their blocks and were recomputed."},
  };
  static constexpr Row<Worker, Gauge> kWorkerGauges[] = {
      {&Worker::blocks_free, "atoll_kv_blocks_free", "Free blocks of 64 tokens."},
      {&Worker::blocks_total, "atoll_kv_blocks_capacity", "Blocks of 64 tokens in all."},
      {&Worker::kv_bytes_free, "atoll_kv_free_bytes", "Bytes of free blocks."},
      {&Worker::kv_bytes_total, "atoll_kv_capacity_bytes", "Bytes of all blocks."},
      {&Worker::slots_free, "atoll_state_slots_free", "Free DeltaNet state slots."},
      {&Worker::state_bytes_free, "atoll_state_free_bytes",
       "Bytes of free DeltaNet states, spares included."},
      {&Worker::state_bytes_total, "atoll_state_capacity_bytes",
       "Bytes of all DeltaNet states, spares included."},
      {&Worker::running, "atoll_worker_sequences_running", "Sequences at home there."},
      {&Worker::prefill_left, "atoll_worker_prefill_tokens_left",
       "Tokens of admitted prompts that have not run."},
  };
  static constexpr OriginRow kOrigins[] = {{&Worker::rows_local, "local"},
                                           {&Worker::rows_remote, "remote"}};
  static constexpr PartRow kParts[] = {
      {&Worker::kernels, "kernels"}, {&Worker::waiting, "waiting"}, {&Worker::other, "other"}};
};

EngineMetrics::EngineMetrics(Registry& registry, ExpertRows expert_rows)
    : registry_(registry), expert_rows_(expert_rows) {
  for (const auto& row : Families::kCounters) {
    this->*row.series = registry.AddCounter({row.name, row.help});
  }
  for (const auto& row : Families::kGauges) {
    this->*row.series = registry.AddGauge({row.name, row.help});
  }
  for (const Families::DurationRow& row : Families::kDurations) {
    this->*row.series = registry.AddHistogram({row.name, row.help},
                                              GeometricBounds(row.first, row.factor, row.count));
  }
  for (const char* kind : kStepKinds) {
    step_rows_.push_back(registry.AddHistogram(
        {"atoll_step_rows", "Rows of a step over all workers.", {{"kind", kind}}}, kRowBounds));
    step_seconds_.push_back(registry.AddHistogram(
        {"atoll_step_seconds", "From sending the plan to the last report.", {{"kind", kind}}},
        GeometricBounds(0.0001, 2, 20)));
  }
}

EngineMetrics::Worker& EngineMetrics::WorkerOf(int32_t rank) {
  const auto [it, is_new] = workers_.try_emplace(rank);
  Worker& worker = it->second;
  if (!is_new) return worker;
  const std::string name = std::to_string(rank);
  const MetricLabels labels = {{"worker", name}};
  for (const auto& row : Families::kWorkerCounters) {
    worker.*row.series = registry_.AddCounter({row.name, row.help, labels});
  }
  for (const auto& row : Families::kWorkerGauges) {
    worker.*row.series = registry_.AddGauge({row.name, row.help, labels});
  }
  for (const Families::OriginRow& row : Families::kOrigins) {
    worker.*row.series =
        registry_.AddCounter({"atoll_moe_rows_total",
                              "Expert rows computed, by the home of their sequence.",
                              {{"worker", name}, {"origin", row.origin}}});
  }
  for (const Families::PartRow& row : Families::kParts) {
    worker.*row.series =
        registry_.AddHistogram({"atoll_worker_step_seconds",
                                "A worker's time in a step: kernels, waiting for peers, the rest.",
                                {{"worker", name}, {"part", row.part}}},
                               GeometricBounds(0.0001, 2, 20));
  }
  return worker;
}

void EngineMetrics::OnStep(const StepSummary& step) {
  steps_.Add();
  if (step.rows > 0) outside_kernels_.Observe(Seconds(total_us_max_ - kernels_us_max_));
  total_us_max_ = kernels_us_max_ = 0;
  const auto kind = static_cast<size_t>(step.kind);
  // A step whose sequences had all ended ran nothing; it would only blur the mean.
  if (step.rows > 0) {
    step_rows_[kind].Observe(static_cast<double>(step.rows));
    prediction_error_.Observe(std::abs(absl::ToDoubleSeconds(step.duration - step.predicted)));
  }
  // Nor is one that only frees a decode step.
  if (step.planned_rows > 0) step_seconds_[kind].Observe(absl::ToDoubleSeconds(step.duration));
}

void EngineMetrics::OnWorkerStep(int32_t rank, const StepStats& stats) {
  Worker& worker = WorkerOf(rank);
  worker.rows_local.Add(static_cast<double>(stats.moe_rows_local));
  worker.rows_remote.Add(static_cast<double>(stats.moe_rows_remote));
  worker.bytes_sent.Add(static_cast<double>(stats.bytes_sent));
  worker.batch_rows.Add(stats.rows);
  worker.kernels.Observe(Seconds(stats.kernel_us));
  worker.waiting.Observe(Seconds(stats.waiting_us));
  worker.other.Observe(Seconds(stats.other_us));
  kernels_us_max_ = std::max(kernels_us_max_, stats.kernel_us);
  total_us_max_ = std::max(total_us_max_, stats.kernel_us + stats.waiting_us + stats.other_us);
  std::lock_guard lock(mutex_);
  for (const ExpertLoad& load : stats.expert_rows) {
    std::vector<uint64_t>& rows = by_expert_[load.layer];
    if (rows.size() <= load.expert) rows.resize(load.expert + 1u);
    rows[load.expert] += load.rows;
  }
}

void EngineMetrics::OnGauges(const EngineGauges& gauges) {
  running_.Set(gauges.running);
  waiting_.Set(gauges.waiting);
  workers_joined_.Set(gauges.workers_joined);
  ready_.Set(gauges.ready ? 1 : 0);
  double blocks_used = 0.0, states_used = 0.0;
  int64_t blocks = 0;
  for (size_t rank = 0; rank < gauges.homes.size(); ++rank) {
    const HomeGauges& home = gauges.homes[rank];
    Worker& worker = WorkerOf(static_cast<int32_t>(rank));
    worker.blocks_free.Set(static_cast<double>(home.blocks_free));
    worker.blocks_total.Set(home.capacity.kv_blocks);
    worker.slots_free.Set(home.slots_free);
    worker.running.Set(home.running);
    worker.prefill_left.Set(static_cast<double>(home.prefill_rows_left));
    worker.kv_bytes_free.Set(static_cast<double>(home.kv_bytes_free()));
    worker.kv_bytes_total.Set(static_cast<double>(home.kv_bytes_total()));
    worker.state_bytes_free.Set(static_cast<double>(home.state_bytes_free()));
    worker.state_bytes_total.Set(static_cast<double>(home.state_bytes_total()));
    blocks += home.capacity.kv_blocks;
    blocks_used = std::max(blocks_used, UsedShare(home.blocks_free, home.capacity.kv_blocks));
    states_used = std::max(states_used, UsedShare(home.slots_free, home.capacity.state_slots));
  }
  usage_.Set(blocks_used);
  saturation_.Set(gauges.waiting > 0 ? 1.0 : std::max(blocks_used, states_used));
  ShowPool(blocks);
}

// The number of blocks is a label, as vLLM has it: a series for each pool that ever was.
void EngineMetrics::ShowPool(int64_t blocks) {
  if (blocks == blocks_shown_) return;
  const auto show = [this](int64_t count, double value) {
    if (count == 0) return;
    registry_
        .AddGauge(
            {"atoll_kv_cache_info",
             "1: tokens of a block, and blocks of all workers.",
             {{"block_size", std::to_string(kBlockTokens)}, {"blocks", std::to_string(count)}}})
        .Set(value);
  };
  show(blocks_shown_, 0);
  show(blocks, 1);
  blocks_shown_ = blocks;
}

void EngineMetrics::OnPreempted(int32_t rank) { WorkerOf(rank).preemptions.Add(); }

void EngineMetrics::OnRequestEnd(const RequestSummary& request) {
  queued_.Observe(absl::ToDoubleSeconds(request.timings.queued));
  if (request.generated_tokens > 0) {
    prefill_.Observe(absl::ToDoubleSeconds(request.timings.prefill));
    decode_.Observe(absl::ToDoubleSeconds(request.timings.decode));
  }
  if (request.timings.preemptions > 0) {
    preempted_.Observe(absl::ToDoubleSeconds(request.timings.preempted));
  }
  registry_
      .AddCounter({"atoll_requests_finished_total",
                   "Requests that ended, by reason.",
                   {{"finish", FinishReasonName(request.reason)}}})
      .Add();
}

void EngineMetrics::OnWorkerLost(int32_t) { workers_lost_.Add(); }

void EngineMetrics::Refresh() {
  // A page at a time: what was shown is added to.
  std::lock_guard refreshing(refresh_mutex_);
  std::map<uint16_t, std::vector<uint64_t>> by_expert;
  {
    std::lock_guard lock(mutex_);
    by_expert.swap(by_expert_);
  }
  for (auto& [layer, rows] : by_expert) {
    std::vector<uint64_t>& shown = shown_[layer];
    shown.resize(std::max(shown.size(), rows.size()));
    const std::string name = std::to_string(layer);
    for (size_t expert = 0; expert < rows.size(); ++expert) {
      shown[expert] += rows[expert];
      if (expert_rows_ == ExpertRows::kByLayer || rows[expert] == 0) continue;
      registry_
          .AddCounter({"atoll_moe_expert_rows_total",
                       "Rows that one expert computed.",
                       {{"layer", name}, {"expert", std::to_string(expert)}}})
          .Add(static_cast<double>(rows[expert]));
    }
    registry_
        .AddCounter({"atoll_moe_layer_rows_total",
                     "Rows that all of a layer's experts computed.",
                     {{"layer", name}}})
        .Add(static_cast<double>(std::accumulate(rows.begin(), rows.end(), uint64_t{0})));
    registry_
        .AddGauge({"atoll_moe_layer_busiest_rows",
                   "Rows since the start of a layer's most loaded expert.",
                   {{"layer", name}}})
        .Set(static_cast<double>(*std::max_element(shown.begin(), shown.end())));
  }
}

}  // namespace atl::coordinator
