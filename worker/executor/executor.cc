#include "worker/executor/executor.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "common/log/log.h"
#include "worker/executor/plan_order.h"
#include "worker/executor/pool_lender.h"
#include "worker/model/layer_configs.h"

namespace atl::worker {
namespace {

using Clock = std::chrono::steady_clock;

uint32_t MicrosSince(Clock::time_point start) {
  return static_cast<uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> Executor::Create(const ModelConfig& config,
                                                           const ModelWeights& weights,
                                                           const ExecutorOptions& options) {
  std::unique_ptr<Executor> executor(new Executor);
  executor->config_ = config;
  executor->options_ = options;
  executor->threads_ = std::make_unique<ThreadPool>(
      ThreadPoolOptions{.num_threads = options.num_threads,
                        .spin = options.spin,
                        .cpus = options.cpus,
                        .on_thread_start = [] { kernels::SetDenormalsToZero(); }});
  executor->lender_ = std::make_unique<PoolLender>(*executor->threads_);
  executor->context_ = std::make_unique<kernels::KernelContext>(
      options.backend, options.num_threads == 1 ? nullptr : executor->lender_.get());
  ATOLL_ASSIGN_OR_RETURN(executor->decoder_, Decoder::Create(config, weights, options.decoder));
  KvCacheConfig cache = KvCacheConfigOf(config, options.decoder.dtype);
  cache.late_rows = options.late_rows;
  cache.num_blocks = options.num_blocks;
  cache.num_slots = options.num_slots;
  cache.num_spares = options.num_spares;
  executor->cache_ = std::make_unique<KvCache>(cache);
  executor->limits_ = {.home = {.kv_blocks = cache.num_blocks,
                                .state_slots = cache.num_slots,
                                .spares = cache.num_spares,
                                .late_rows = cache.late_rows,
                                .bytes_per_block = cache.bytes_per_block(),
                                .bytes_per_state = cache.bytes_per_state()},
                       .vocab_size = config.vocab_size};
  executor->head_ = std::make_unique<OutputHead>(*executor->decoder_, *executor->context_);
  return executor;
}

absl::Status Executor::StartEpoch(const EpochStart& start, Transport* transport) {
  if (start.expert_owner.size() != static_cast<size_t>(config_.num_layers())) {
    return InvalidArgument("epoch {}.{}: owners of {} layers, the model has {}", start.epoch.term,
                           start.epoch.number, start.expert_owner.size(), config_.num_layers());
  }
  for (const auto& layer : start.expert_owner) {
    const bool fits = layer.size() == static_cast<size_t>(config_.num_experts) &&
                      std::all_of(layer.begin(), layer.end(),
                                  [&](int32_t r) { return r >= 0 && r < transport->world_size(); });
    if (!fits)
      return InvalidArgument("epoch {}.{}: owners do not fit {} experts and {} ranks",
                             start.epoch.term, start.epoch.number, config_.num_experts,
                             transport->world_size());
  }
  // Another term is another coordinator, which knows nothing of our sequences; within a term they
  // go on.
  if (start.epoch.term != epoch_.epoch.term) table_.Clear();
  epoch_ = start;
  transport_ = transport;
  dispatcher_ = std::make_unique<TokenDispatcher>(
      DispatcherConfigOf(config_, options_.decoder.dtype), transport);
  last_step_ = 0;
  waiting_us_seen_ = 0;
  bytes_sent_seen_ = transport->counters().bytes_sent;
  return absl::OkStatus();
}

void Executor::LeaveEpoch() {
  dispatcher_.reset();
  transport_ = nullptr;
}

WorkerReady Executor::MakeReady() const {
  return {.epoch = epoch_.epoch, .rank = epoch_.rank, .capacity = limits_.home};
}

absl::Status Executor::Check(const StepPlan& plan) const {
  EpochPosition position = {.last_step = last_step_};
  if (transport_ != nullptr) {
    position.epoch = epoch_.epoch;
    position.rank = transport_->rank();
    position.num_ranks = static_cast<size_t>(transport_->world_size());
  }
  ATOLL_RETURN_IF_ERROR(CheckOrder(plan, position));
  return ValidatePlan(plan, table_, limits_);
}

StepResult Executor::Execute(const StepPlan& plan) {
  kernels::SetDenormalsToZero();
  const CallerOnCpu pinned(*threads_);
  StepResult result = {.epoch = plan.epoch,
                       .step = plan.step,
                       .rank = transport_ == nullptr ? -1 : transport_->rank()};
  result.status = Check(plan);
  if (!result.status.ok()) return result;
  const auto start = Clock::now();
  last_step_ = plan.step;
  result.status = RunStep(plan, result);
  if (!result.status.ok()) {
    dispatcher_->Abandon();
    result.sequences.clear();
    result.probes.clear();
  }
  TakeStats(result.stats);
  const uint32_t total_us = MicrosSince(start);
  result.stats.other_us =
      total_us - std::min(total_us, result.stats.kernel_us + result.stats.waiting_us);
  return result;
}

absl::Status Executor::RunStep(const StepPlan& plan, StepResult& result) {
  const Taken taken = ApplyPlan(plan, table_);
  for (const BlockId block : taken.blocks) cache_->ZeroBlock(block);
  for (const SlotId slot : taken.slots) cache_->ResetSlot(slot);
  const BatchInput batch = BuildBatch(plan, table_, limits_);
  result.stats.rows = static_cast<uint32_t>(batch.ids.size());
  const auto start = Clock::now();
  ATOLL_RETURN_IF_ERROR(Forward(plan, batch));
  ATOLL_ASSIGN_OR_RETURN(result.probes, head_->Probe(batch));
  ATOLL_RETURN_IF_ERROR(SampleAndCommit(batch, result));
  result.stats.kernel_us = MicrosSince(start);
  return absl::OkStatus();
}

absl::Status Executor::Forward(const StepPlan& plan, const BatchInput& batch) {
  return decoder_->Forward({.context = *context_,
                            .cache = *cache_,
                            .dispatcher = *dispatcher_,
                            .expert_owner = epoch_.expert_owner},
                           {.key = {.epoch = plan.epoch, .step = plan.step},
                            .ids = batch.ids,
                            .positions = batch.positions,
                            .sequences = batch.rows,
                            .rows_by_rank = plan.rows_by_rank});
}

// Draws for all that are to sample, then commits: commit cannot fail.
absl::Status Executor::SampleAndCommit(const BatchInput& batch, StepResult& result) {
  for (const BatchEntry& entry : batch.entries) {
    // A row without ids runs the token sampled last, which was counted when it was sampled.
    std::optional<TokenCounts>& counts = entry.sequence->counts;
    if (counts.has_value()) counts->Extend(entry.work->begin, entry.work->ids);
  }
  ATOLL_ASSIGN_OR_RETURN(std::vector<EntryOutcome> outcomes, head_->Sample(batch));
  Commit(batch);
  for (size_t i = 0; i < batch.entries.size(); ++i)
    result.sequences.push_back(Report(*batch.entries[i].sequence, std::move(outcomes[i])));
  return absl::OkStatus();
}

SequenceResult Executor::Report(HomeSequence& sequence, EntryOutcome outcome) {
  SequenceResult out = {.seq = sequence.start.seq, .length = sequence.length};
  if (!outcome.status.ok()) {
    LOG_ERROR("sequence {} ends at token {}: {}", Value(sequence.start.seq), sequence.length,
              MessageOf(outcome.status));
    sequence.finish = FinishReason::kError;
  } else {
    out.prompt_logprobs = std::move(outcome.prompt_logprobs);
    if (outcome.sampled.has_value()) Append(sequence, *std::move(outcome.sampled), out);
  }
  out.finish = sequence.finish;
  return out;
}

void Executor::Append(HomeSequence& sequence, SampledToken sampled, SequenceResult& out) {
  out.ids.push_back(sampled.id);
  if (sampled.logprobs.has_value()) out.logprobs.push_back(*std::move(sampled.logprobs));
  if (sequence.counts.has_value()) sequence.counts->Extend(sequence.length, {&sampled.id, 1});
  sequence.AddSampled(sampled.id);
}

void Executor::Commit(const BatchInput& batch) {
  for (size_t i = 0; i < batch.entries.size(); ++i) {
    HomeSequence& sequence = *batch.entries[i].sequence;
    const SequenceRows& rows = batch.rows[i];
    sequence.length += rows.num_rows;
    sequence.pending.reset();
    if (rows.store == kernels::DeltaStore::kSpare) {
      cache_->SwapSpare(rows.slot, rows.spare, sequence.length);
    } else if (rows.store == kernels::DeltaStore::kOwn) {
      cache_->SetStateLength(rows.slot, sequence.length);
    }
  }
}

void Executor::TakeStats(StepStats& stats) {
  MoeLoad& load = decoder_->load();
  stats.moe_rows_local = std::exchange(load.rows_local, 0);
  stats.moe_rows_remote = std::exchange(load.rows_remote, 0);
  for (size_t layer = 0; layer < load.expert_rows.size(); ++layer) {
    for (size_t expert = 0; expert < load.expert_rows[layer].size(); ++expert) {
      const uint32_t rows = std::exchange(load.expert_rows[layer][expert], 0);
      if (rows > 0)
        stats.expert_rows.push_back(
            {static_cast<uint16_t>(layer), static_cast<uint16_t>(expert), rows});
    }
  }
  stats.waiting_us = static_cast<uint32_t>(dispatcher_->waiting_us() - waiting_us_seen_);
  waiting_us_seen_ = dispatcher_->waiting_us();
  stats.kernel_us -= std::min(stats.kernel_us, stats.waiting_us);
  const uint64_t bytes_sent = transport_->counters().bytes_sent;
  stats.bytes_sent = bytes_sent - bytes_sent_seen_;
  bytes_sent_seen_ = bytes_sent;
}

}  // namespace atl::worker
