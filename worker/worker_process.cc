#include "worker/worker_process.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "common/base/status_macros.h"
#include "common/concurrency/machine_limits.h"
#include "common/log/log.h"
#include "worker/cache_size.h"

namespace atl {
namespace {

// How often an idle worker moves UCX along: its peers' keepalives want an answer now and then.
constexpr std::chrono::milliseconds kIdleProgress(100);

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

absl::StatusOr<kernels::DType> ChooseDType(const std::string& flag, const Checkpoint& checkpoint) {
  if (flag == "bfloat16" || flag == "bf16") return kernels::DType::kBf16;
  if (flag == "float32" || flag == "fp32") return kernels::DType::kF32;
  return checkpoint.dtype();
}

int64_t MappedBytes(const Checkpoint& checkpoint) {
  int64_t bytes = 0;
  for (const auto& file : checkpoint.files()) bytes += static_cast<int64_t>(file->size_bytes());
  return bytes;
}

constexpr double Mebibytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerProcess::Create(const WorkerFlags& flags) {
  std::unique_ptr<WorkerProcess> worker(new WorkerProcess);
  worker->flags_ = flags;
  const char* forced = std::getenv("ATOLL_KERNELS");
  ATOLL_ASSIGN_OR_RETURN(worker->backend_, kernels::ChooseBackend(forced == nullptr ? "" : forced));
  ATOLL_ASSIGN_OR_RETURN(worker->config_, LoadModelConfig(flags.model));
  ATOLL_ASSIGN_OR_RETURN(worker->checkpoint_, Checkpoint::Open(flags.model));
  ATOLL_ASSIGN_OR_RETURN(worker->weights_, LoadModelWeights(*worker->checkpoint_, worker->config_));
  ATOLL_ASSIGN_OR_RETURN(const kernels::DType dtype,
                         ChooseDType(flags.dtype, *worker->checkpoint_));

  ExecutorOptions options = {.backend = worker->backend_,
                             .num_threads = flags.threads == 0 ? CpusAllowed() : flags.threads,
                             .spin = std::chrono::microseconds(flags.spin_us),
                             .decoder = {.dtype = dtype},
                             .late_rows = flags.late_rows};
  ATOLL_ASSIGN_OR_RETURN(const auto decoder,
                         Decoder::Create(worker->config_, worker->weights_, options.decoder));
  KvCacheConfig cache = decoder->MakeKvCacheConfig();
  cache.late_rows = flags.late_rows;
  const int64_t memory =
      flags.kv_cache_memory_bytes > 0
          ? flags.kv_cache_memory_bytes
          : DefaultCacheBytes({.limit_bytes = MemoryLimitBytes(),
                               .weights_bytes = MappedBytes(*worker->checkpoint_)},
                              cache, worker->config_.context_length());
  ATOLL_RETURN_IF_ERROR(SizeCache({.memory_bytes = memory,
                                   .max_num_seqs = flags.max_num_seqs,
                                   .context_length = worker->config_.context_length()},
                                  cache));
  options.num_blocks = cache.num_blocks;
  options.num_slots = cache.num_slots;
  options.num_spares = cache.num_spares;
  ATOLL_ASSIGN_OR_RETURN(worker->executor_,
                         Executor::Create(worker->config_, worker->weights_, options));
  ATOLL_ASSIGN_OR_RETURN(worker->transport_, UcxTransport::Create({.spin = options.spin}));

  worker->hello_ = {.wire_version = kWireVersion,
                    .host = HostName(),
                    .pid = getpid(),
                    .cpus = options.num_threads,
                    .memory_bytes = static_cast<uint64_t>(MemoryLimitBytes()),
                    .model_digest = worker->checkpoint_->digest(),
                    .dtype = std::string(kernels::NameOf(dtype)),
                    .kernels = std::string(kernels::NameOf(worker->backend_)),
                    .transport_address = worker->transport_->address(),
                    .num_layers = worker->config_.num_layers(),
                    .num_experts = worker->config_.num_experts,
                    .vocab_size = worker->config_.vocab_size};
  LOG_INFO("model {}: {} layers, {} experts, kept and sent as {}; kernels {}, {} threads",
           flags.model, worker->config_.num_layers(), worker->config_.num_experts,
           worker->hello_.dtype, worker->hello_.kernels, options.num_threads);
  LOG_INFO("cache: {} blocks of 64 tokens ({:.1f} MiB), {} states and {} spare ({:.1f} MiB)",
           cache.num_blocks, Mebibytes(cache.num_blocks * cache.bytes_per_block()), cache.num_slots,
           cache.num_spares,
           Mebibytes((cache.num_slots + cache.num_spares) * cache.bytes_per_state()));
  return worker;
}

WorkerProcess::~WorkerProcess() {
  client_.reset();  // its threads call us
  executor_.reset();
}

void WorkerProcess::Push(Command command) {
  // The coordinator keeps at most two plans in flight; a queue of 64 is full only when something of
  // ours is broken.
  CHECK(commands_.TryPush(std::move(command)), "64 commands wait");
}

absl::Status WorkerProcess::Run() {
  client_ = CoordinatorClient::Create({.address = flags_.coordinator}, *this);
  client_->Start();
  while (true) {
    std::optional<Command> command =
        commands_.Pop(std::chrono::steady_clock::now() + kIdleProgress);
    if (!command.has_value()) {
      if (transport_->rank() >= 0) transport_->Progress();
      continue;
    }
    if (const auto* shutdown = std::get_if<Shutdown>(&*command)) return shutdown->status;
    if (const auto* start = std::get_if<EpochStart>(&*command)) {
      Begin(*start);
      continue;
    }
    const StepResult result = executor_->Execute(std::get<StepPlan>(*command));
    if (!result.status.ok()) LOG_WARNING("step {}: {}", result.step, MessageOf(result.status));
    client_->SendResult(result);
  }
}

void WorkerProcess::Begin(const EpochStart& start) {
  term_max_ = std::max(term_max_.load(), start.epoch.term);
  const absl::Status joined = JoinEpoch(start);
  if (!joined.ok()) {
    LOG_ERROR("epoch {}.{}: {}", start.epoch.term, start.epoch.number, MessageOf(joined));
    client_->SendReady(joined, start.epoch, start.rank);
    return;
  }
  client_->SendReady(executor_->MakeReady(), start.epoch, start.rank);
  LOG_INFO("epoch {}.{}: rank {} of {}, ready", start.epoch.term, start.epoch.number, start.rank,
           start.transport_addresses.size());
}

absl::Status WorkerProcess::JoinEpoch(const EpochStart& start) {
  log::SetProcessName(fmt::format("worker {}", start.rank));
  TouchOwnedWeights(start);
  executor_->LeaveEpoch();
  ATOLL_RETURN_IF_ERROR(transport_->Join(start.epoch, start.rank, start.transport_addresses));
  return executor_->StartEpoch(start, transport_.get());
}

// Reads what this rank owns from disk now, not in the first answer.
void WorkerProcess::TouchOwnedWeights(const EpochStart& start) {
  std::vector<std::vector<int>> owned(static_cast<size_t>(config_.num_layers()));
  for (size_t layer = 0; layer < std::min(owned.size(), start.expert_owner.size()); ++layer) {
    for (size_t expert = 0; expert < start.expert_owner[layer].size(); ++expert) {
      if (start.expert_owner[layer][expert] == start.rank &&
          expert < static_cast<size_t>(config_.num_experts)) {
        owned[layer].push_back(static_cast<int>(expert));
      }
    }
  }
  Prefault(OwnedRanges(*checkpoint_, weights_, owned), [](uint64_t done, uint64_t total,
                                                          const std::string& file) {
    LOG_INFO("loading weights: {:.1f} of {:.1f} MiB ({:.0f} %), {}",
             Mebibytes(static_cast<int64_t>(done)), Mebibytes(static_cast<int64_t>(total)),
             total == 0 ? 100.0 : 100.0 * static_cast<double>(done) / static_cast<double>(total),
             file);
  });
}

void WorkerProcess::Stop() { Push(Shutdown{absl::OkStatus()}); }

WorkerHello WorkerProcess::Hello() {
  WorkerHello hello = hello_;
  hello.term_max = term_max_;
  return hello;
}

void WorkerProcess::OnEpochStart(EpochStart start) { Push(std::move(start)); }
void WorkerProcess::OnPlan(StepPlan plan) { Push(std::move(plan)); }

void WorkerProcess::OnEpochEnd(Epoch epoch, std::string reason) {
  LOG_WARNING("epoch {}.{} ended: {}", epoch.term, epoch.number, reason);
  transport_->EndEpoch(reason);
}

void WorkerProcess::OnShutdown() {
  LOG_INFO("the coordinator shuts this worker down");
  Push(Shutdown{absl::OkStatus()});
}

void WorkerProcess::OnRefused(absl::Status why) { Push(Shutdown{std::move(why)}); }

void WorkerProcess::OnDisconnected(absl::Status why) {
  LOG_WARNING("the coordinator is gone ({}), dialling again", MessageOf(why));
  transport_->EndEpoch("the coordinator is gone");
}

}  // namespace atl
