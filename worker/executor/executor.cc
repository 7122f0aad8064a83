#include "worker/executor/executor.h"

#include <algorithm>
#include <cstring>

#include "common/base/fnv.h"
#include "common/base/status_macros.h"
#include "worker/sampling/sampler.h"

namespace atl {
namespace {

using Clock = std::chrono::steady_clock;

// Rows of logits that are computed at once: 32 MB at the real vocabulary.
constexpr int kLogitRows = 32;

// The executor's compute threads, as kernels see them.
class PoolLender : public kernels::ThreadLender {
 public:
  explicit PoolLender(ThreadPool& pool) : pool_(pool) {}
  int num_threads() const override { return pool_.num_threads(); }
  void Run(int num_tasks, void (*task)(void*, int, int), void* arg) override {
    pool_.Run(num_tasks, task, arg);
  }

 private:
  ThreadPool& pool_;
};

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
  executor->threads_ = std::make_unique<ThreadPool>(ThreadPoolOptions{
      .num_threads = options.num_threads, .spin = options.spin, .on_thread_start = [] {
        kernels::SetDenormalsToZero();
      }});
  executor->lender_ = std::make_unique<PoolLender>(*executor->threads_);
  executor->context_ = std::make_unique<kernels::KernelContext>(
      options.backend, options.num_threads == 1 ? nullptr : executor->lender_.get());
  ATOLL_ASSIGN_OR_RETURN(executor->decoder_, Decoder::Create(config, weights, options.decoder));
  KvCacheConfig cache = executor->decoder_->MakeKvCacheConfig();
  cache.late_rows = options.late_rows;
  cache.num_blocks = options.num_blocks;
  cache.num_slots = options.num_slots;
  cache.num_spares = options.num_spares;
  executor->cache_ = std::make_unique<KvCache>(cache);
  executor->limits_ = {.num_blocks = cache.num_blocks,
                       .num_slots = cache.num_slots,
                       .num_spares = cache.num_spares,
                       .late_rows = cache.late_rows,
                       .vocab_size = config.vocab_size};
  executor->logits_ =
      kernels::Buffer(size_t{kLogitRows} * static_cast<size_t>(config.vocab_size) * sizeof(float));
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
  dispatcher_ = std::make_unique<TokenDispatcher>(decoder_->MakeDispatcherConfig(), transport);
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
  return {.epoch = epoch_.epoch,
          .rank = epoch_.rank,
          .kv_blocks = limits_.num_blocks,
          .state_slots = limits_.num_slots,
          .spares = limits_.num_spares,
          .late_rows = limits_.late_rows,
          .bytes_per_block = cache_->config().bytes_per_block(),
          .bytes_per_state = cache_->config().bytes_per_state()};
}

absl::Status Executor::Check(const StepPlan& plan) const {
  if (transport_ == nullptr) return FailedPrecondition("step {}: no epoch has begun", plan.step);
  if (plan.epoch != epoch_.epoch) {
    return FailedPrecondition("step {} is of epoch {}.{}, this worker is in {}.{}", plan.step,
                              plan.epoch.term, plan.epoch.number, epoch_.epoch.term,
                              epoch_.epoch.number);
  }
  if (plan.step <= last_step_)
    return FailedPrecondition("step {} comes after step {}", plan.step, last_step_);
  if (plan.rows_by_rank.size() != static_cast<size_t>(transport_->world_size())) {
    return FailedPrecondition("step {}: rows of {} ranks, the epoch has {}", plan.step,
                              plan.rows_by_rank.size(), transport_->world_size());
  }
  int64_t planned = 0;
  for (const SequenceWork& work : plan.work) planned += work.num_rows;
  if (planned > plan.rows_by_rank[static_cast<size_t>(transport_->rank())]) {
    return FailedPrecondition("step {}: {} rows of work, {} announced", plan.step, planned,
                              plan.rows_by_rank[static_cast<size_t>(transport_->rank())]);
  }
  return ValidatePlan(plan, table_, limits_);
}

StepResult Executor::Execute(const StepPlan& plan) {
  kernels::SetDenormalsToZero();
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
  ATOLL_RETURN_IF_ERROR(ComputeProbes(batch, result));
  ATOLL_RETURN_IF_ERROR(DrawAndCommit(batch, result));
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

absl::Status Executor::ComputeProbes(const BatchInput& batch, StepResult& result) {
  const size_t v = static_cast<size_t>(config_.vocab_size);
  for (size_t i = 0; i < batch.entries.size(); ++i) {
    const SequenceWork& work = *batch.entries[i].work;
    if (work.probe == Probe::kNone) continue;
    ProbeResult probe = {
        .seq = work.seq, .begin = work.begin, .num_rows = work.num_rows, .digest = kFnvBasis};
    for (int first = 0; first < work.num_rows; first += kLogitRows) {
      std::vector<int32_t> rows;
      for (int r = first; r < std::min(first + kLogitRows, work.num_rows); ++r)
        rows.push_back(batch.rows[i].row_begin + r);
      ATOLL_RETURN_IF_ERROR(decoder_->Logits(
          *context_, rows,
          kernels::F32(logits_.f32(), {static_cast<int64_t>(rows.size()), config_.vocab_size})));
      probe.digest =
          Fnv1a({reinterpret_cast<const char*>(logits_.f32()), rows.size() * v * sizeof(float)},
                probe.digest);
      if (work.probe == Probe::kLogits)
        probe.logits.insert(probe.logits.end(), logits_.f32(), logits_.f32() + rows.size() * v);
    }
    result.probes.push_back(std::move(probe));
  }
  return absl::OkStatus();
}

// Draws for all that are to draw, then commits: commit cannot fail.
absl::Status Executor::DrawAndCommit(const BatchInput& batch, StepResult& result) {
  const size_t v = static_cast<size_t>(config_.vocab_size);
  std::vector<size_t> drawing;
  for (size_t i = 0; i < batch.entries.size(); ++i) {
    if (batch.entries[i].work->draw) drawing.push_back(i);
  }
  std::vector<absl::StatusOr<TokenId>> drawn(drawing.size(), TokenId{});
  for (size_t first = 0; first < drawing.size(); first += kLogitRows) {
    const size_t count = std::min<size_t>(kLogitRows, drawing.size() - first);
    std::vector<int32_t> rows;
    for (size_t i = first; i < first + count; ++i) {
      rows.push_back(batch.rows[drawing[i]].row_begin + batch.rows[drawing[i]].num_rows - 1);
    }
    ATOLL_RETURN_IF_ERROR(decoder_->Logits(
        *context_, rows,
        kernels::F32(logits_.f32(), {static_cast<int64_t>(count), config_.vocab_size})));
    for (size_t i = 0; i < count; ++i) {
      const BatchEntry& entry = batch.entries[drawing[first + i]];
      const int32_t limit = entry.sequence->start.vocab_limit;
      const size_t ids = limit > 0 ? std::min(v, static_cast<size_t>(limit)) : v;
      drawn[first + i] = DrawToken({logits_.f32() + i * v, ids}, entry.sequence->start.sampling,
                                   int64_t{entry.work->begin} + entry.work->num_rows);
    }
  }
  Commit(batch);
  for (size_t i = 0, next = 0; i < batch.entries.size(); ++i) {
    HomeSequence& sequence = *batch.entries[i].sequence;
    SequenceResult out = {.seq = sequence.start.seq, .length = sequence.length};
    if (next < drawing.size() && drawing[next] == i) {
      const absl::StatusOr<TokenId>& token = drawn[next++];
      if (!token.ok()) {
        sequence.finish = Finish::kError;
      } else {
        out.ids.push_back(*token);
        sequence.pending = *token;
        ++sequence.num_drawn;
        const std::vector<TokenId>& stops = sequence.start.stop_ids;
        if (std::find(stops.begin(), stops.end(), *token) != stops.end()) {
          sequence.finish = Finish::kStopId;
        } else if (sequence.num_drawn >= sequence.start.max_new_tokens) {
          sequence.finish = Finish::kMaxTokens;
        }
      }
    }
    out.finish = sequence.finish;
    result.sequences.push_back(std::move(out));
  }
  return absl::OkStatus();
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

}  // namespace atl
