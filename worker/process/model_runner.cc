#include "worker/process/model_runner.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/concurrency/machine_limits.h"
#include "common/log/log.h"
#include "worker/model/layer_configs.h"
#include "worker/process/cache_size.h"
#include "worker/weights/content_digest.h"

namespace atl::worker {
namespace {

int64_t MappedBytes(const Checkpoint& checkpoint) {
  int64_t bytes = 0;
  for (const auto& file : checkpoint.files()) bytes += static_cast<int64_t>(file->size_bytes());
  return bytes;
}

// What a process needs beside weights and cache: code, workspaces, buffers of the exchange.
constexpr int64_t kProcessBytes = int64_t{1} << 30;
constexpr std::chrono::seconds kReportEvery(1);

// Where a quota cuts, polling takes from computing: then waits poll no longer than between regions.
std::chrono::nanoseconds SpinOf(const WorkerFlags& flags) {
  constexpr std::chrono::microseconds kSpinUnderQuota(5);
  const std::chrono::microseconds spin(flags.spin_us);
  return HasCpuQuota() ? std::min(spin, kSpinUnderQuota) : spin;
}

constexpr double Mebibytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

absl::StatusOr<std::unique_ptr<ModelRunner>> ModelRunner::Create(const WorkerFlags& flags,
                                                                 WorkerHello machine) {
  std::unique_ptr<ModelRunner> runner(new ModelRunner);
  runner->model_ = flags.model;
  runner->packed_weights_dir_ = flags.packed_weights_dir;
  runner->packed_mode_ = PackedModeOf(flags.packed_weights);
  ATOLL_RETURN_IF_ERROR(runner->OpenCheckpoint(flags));
  ATOLL_ASSIGN_OR_RETURN(const kernels::DType dtype,
                         ChooseDType(flags.dtype, *runner->checkpoint_));
  ExecutorOptions options = {
      .backend = runner->backend_,
      .num_threads = machine.cpus,
      .spin = SpinOf(flags),
      .cpus = flags.pin == "off" ? std::vector<int>{} : CpusToPin(machine.cpus),
      .decoder = {.dtype = dtype},
      .late_rows = flags.late_rows};
  ATOLL_ASSIGN_OR_RETURN(const KvCacheConfig cache, runner->MakeCacheConfig(flags, dtype));
  options.num_blocks = cache.num_blocks;
  options.num_slots = cache.num_slots;
  options.num_spares = cache.num_spares;
  ATOLL_ASSIGN_OR_RETURN(runner->executor_,
                         Executor::Create(runner->config_, runner->weights_, options));
  ATOLL_ASSIGN_OR_RETURN(runner->transport_, UcxTransport::Create({.spin = options.spin}));

  runner->hello_ = std::move(machine);
  runner->hello_.model_digest = runner->checkpoint_->digest();
  runner->hello_.dtype = std::string(kernels::NameOf(dtype));
  runner->hello_.kernels = std::string(kernels::NameOf(runner->backend_));
  runner->hello_.transport_address = runner->transport_->address();
  runner->hello_.num_layers = runner->config_.num_layers();
  runner->hello_.num_experts = runner->config_.num_experts;
  runner->hello_.vocab_size = runner->config_.vocab_size;
  LOG_INFO("model {}: {} layers, {} experts, kept and sent as {}; kernels {}, {} threads{}",
           flags.model, runner->config_.num_layers(), runner->config_.num_experts,
           runner->hello_.dtype, runner->hello_.kernels, options.num_threads,
           options.cpus.empty() ? "" : ", each on a CPU of its own");
  return runner;
}

absl::Status ModelRunner::OpenCheckpoint(const WorkerFlags& flags) {
  const char* forced = std::getenv("ATOLL_KERNELS");
  ATOLL_ASSIGN_OR_RETURN(backend_, kernels::ChooseBackend(forced == nullptr ? "" : forced));
  ATOLL_ASSIGN_OR_RETURN(config_, LoadModelConfig(flags.model));
  ATOLL_ASSIGN_OR_RETURN(checkpoint_, Checkpoint::Open(flags.model));
  ATOLL_ASSIGN_OR_RETURN(weights_, LoadModelWeights(*checkpoint_, config_));
  return absl::OkStatus();
}

absl::StatusOr<KvCacheConfig> ModelRunner::MakeCacheConfig(const WorkerFlags& flags,
                                                           kernels::DType dtype) const {
  KvCacheConfig cache = KvCacheConfigOf(config_, dtype);
  cache.late_rows = flags.late_rows;
  const int64_t memory = flags.kv_cache_memory_bytes > 0
                             ? flags.kv_cache_memory_bytes
                             : DefaultCacheBytes({.limit_bytes = MemoryLimitBytes(),
                                                  .weights_bytes = MappedBytes(*checkpoint_)},
                                                 cache, config_.context_length());
  ATOLL_RETURN_IF_ERROR(SizeCache({.memory_bytes = memory,
                                   .max_num_seqs = flags.max_num_seqs,
                                   .context_length = config_.context_length()},
                                  cache));
  LOG_INFO("cache: {} blocks of 64 tokens ({:.1f} MiB), {} states and {} spare ({:.1f} MiB)",
           cache.num_blocks, Mebibytes(cache.num_blocks * cache.bytes_per_block()), cache.num_slots,
           cache.num_spares,
           Mebibytes((cache.num_slots + cache.num_spares) * cache.bytes_per_state()));
  return cache;
}

absl::Status ModelRunner::JoinEpoch(const EpochStart& start) {
  const OwnedExperts owned = ExpertsOf(start);
  packer_.reset();
  ATOLL_RETURN_IF_ERROR(PlacePacked(owned));
  AdoptPacked();
  ReadWeights(owned);
  executor_->LeaveEpoch();
  ATOLL_RETURN_IF_ERROR(transport_->Join(start.epoch, start.rank, start.transport_addresses));
  ATOLL_RETURN_IF_ERROR(executor_->StartEpoch(start, transport_.get()));
  if (packed_ != nullptr) packer_ = std::make_unique<WeightPacker>(*packed_);
  return absl::OkStatus();
}

StepResult ModelRunner::Execute(const StepPlan& plan) {
  AdoptPacked();
  return executor_->Execute(plan);
}

void ModelRunner::Progress() {
  AdoptPacked();
  if (transport_->rank() >= 0) transport_->Progress();
}

ModelRunner::OwnedExperts ModelRunner::ExpertsOf(const EpochStart& start) const {
  OwnedExperts owned(static_cast<size_t>(config_.num_layers()));
  for (size_t layer = 0; layer < std::min(owned.size(), start.expert_owner.size()); ++layer) {
    for (size_t expert = 0; expert < start.expert_owner[layer].size(); ++expert) {
      if (start.expert_owner[layer][expert] == start.rank &&
          expert < static_cast<size_t>(config_.num_experts)) {
        owned[layer].push_back(static_cast<int>(expert));
      }
    }
  }
  return owned;
}

absl::Status ModelRunner::PlacePacked(const OwnedExperts& owned) {
  if (packed_ == nullptr && packed_mode_ != PackedMode::kOff) {
    PackedLayout layout(weights_);
    ATOLL_ASSIGN_OR_RETURN(const PackedRequest request, RequestPacked(layout, owned));
    ATOLL_ASSIGN_OR_RETURN(auto space, OpenPackedSpace(request, layout));
    if (space == nullptr) return absl::OkStatus();
    // Where memory holds the files once and not twice, the cache keeps what is read.
    const int64_t both = MappedBytes(*checkpoint_) + static_cast<int64_t>(layout.size_bytes());
    const PageRelease release =
        both > MemoryLimitBytes() ? PageRelease::kForget : PageRelease::kUnmap;
    packed_ =
        std::make_unique<PackedStore>(*checkpoint_, std::move(layout), std::move(space),
                                      PackedStoreOptions{.backend = backend_, .release = release});
  }
  if (packed_ != nullptr) packed_->Want(packed_->layout().UnitsOf(owned));
  return absl::OkStatus();
}

absl::StatusOr<PackedRequest> ModelRunner::RequestPacked(const PackedLayout& layout,
                                                         const OwnedExperts& owned) const {
  const KvCacheConfig& cache = executor_->cache_config();
  int64_t used = kProcessBytes + cache.num_blocks * cache.bytes_per_block() +
                 (cache.num_slots + cache.num_spares) * cache.bytes_per_state();
  for (const WeightRange& range : OwnedRanges(*checkpoint_, weights_, owned))
    used += static_cast<int64_t>(range.size_bytes);
  ATOLL_ASSIGN_OR_RETURN(const uint64_t digest, ContentDigest(*checkpoint_));
  return PackedRequest{.mode = packed_mode_,
                       .folders = PackedFolders(packed_weights_dir_, model_),
                       .digest = digest,
                       .units = layout.UnitsOf(owned),
                       .memory_free_bytes = MemoryLimitBytes() - used};
}

// Reads what this rank owns from disk now, not in the first answer.
void ModelRunner::ReadWeights(const OwnedExperts& owned) const {
  auto reported = std::chrono::steady_clock::now();
  Prefault(OwnedRanges(*checkpoint_, weights_, owned), [&](uint64_t done, uint64_t total,
                                                           const std::string& file) {
    const auto now = std::chrono::steady_clock::now();
    if (done < total && now - reported < kReportEvery) return;
    reported = now;
    LOG_INFO("loading weights: {:.1f} of {:.1f} MiB ({:.0f} %), {}",
             Mebibytes(static_cast<int64_t>(done)), Mebibytes(static_cast<int64_t>(total)),
             total == 0 ? 100.0 : 100.0 * static_cast<double>(done) / static_cast<double>(total),
             file);
  });
}

void ModelRunner::AdoptPacked() {
  if (packed_ != nullptr && packed_->Adopt(weights_)) executor_->UseWeights(weights_);
}

}  // namespace atl::worker
