#include "bench/step/step_rig.h"

#include <atomic>
#include <chrono>
#include <utility>

#include "common/base/status_macros.h"
#include "kernels/ops/attention/kv_layout.h"
#include "worker/model/layer_configs.h"
#include "worker/packed_weights/packed_place.h"
#include "worker/weights/content_digest.h"

namespace atl::bench {
namespace {

using kernels::Bf16;
using kernels::ToBf16;

// Rows that a state may lag behind: what a worker has by default.
constexpr int kLateRows = 1;
constexpr uint64_t kCacheLineBytes = 64;

int NumBlocks(int tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

}  // namespace

absl::StatusOr<std::unique_ptr<StepRig>> StepRig::Create(
    const StepRigOptions& options, worker::Transport* transport,
    std::vector<std::vector<int32_t>> expert_owner) {
  std::unique_ptr<StepRig> rig(new StepRig);
  kernels::SetDenormalsToZero();
  ATOLL_ASSIGN_OR_RETURN(const kernels::Backend backend, kernels::BestBackend());
  rig->threads_ = std::make_unique<ThreadPool>(
      ThreadPoolOptions{.num_threads = options.num_threads,
                        .on_thread_start = [] { kernels::SetDenormalsToZero(); }});
  rig->lender_ = std::make_unique<worker::PoolLender>(*rig->threads_);
  rig->context_ = std::make_unique<kernels::KernelContext>(
      backend, options.num_threads == 1 ? nullptr : rig->lender_.get());
  ATOLL_ASSIGN_OR_RETURN(rig->config_, LoadModelConfig(options.model));
  ATOLL_ASSIGN_OR_RETURN(rig->checkpoint_, worker::Checkpoint::Open(options.model));
  ATOLL_ASSIGN_OR_RETURN(rig->weights_, worker::LoadModelWeights(*rig->checkpoint_, rig->config_));
  ATOLL_ASSIGN_OR_RETURN(const kernels::DType dtype, rig->checkpoint_->dtype());
  ATOLL_ASSIGN_OR_RETURN(rig->decoder_,
                         worker::Decoder::Create(rig->config_, rig->weights_, {.dtype = dtype}));
  worker::KvCacheConfig cache = worker::KvCacheConfigOf(rig->config_, dtype);
  cache.late_rows = kLateRows;
  cache.num_blocks = options.num_blocks;
  cache.num_slots = options.num_slots;
  rig->cache_ = std::make_unique<worker::KvCache>(cache);
  rig->head_ = std::make_unique<worker::OutputHead>(*rig->decoder_, *rig->context_);
  rig->transport_ = transport;
  rig->random_ = options.seed;
  rig->dispatcher_ = std::make_unique<worker::TokenDispatcher>(
      worker::DispatcherConfigOf(rig->config_, dtype), transport);
  rig->expert_owner_ = std::move(expert_owner);
  if (rig->expert_owner_.empty()) {
    rig->expert_owner_.assign(
        static_cast<size_t>(rig->config_.num_layers()),
        std::vector<int32_t>(static_cast<size_t>(rig->config_.num_experts), transport->rank()));
  }
  if (options.use_packed) ATOLL_RETURN_IF_ERROR(rig->UsePacked(options));
  rig->ReadWeights();
  return rig;
}

std::vector<std::vector<int>> StepRig::OwnedExperts() const {
  std::vector<std::vector<int>> owned(expert_owner_.size());
  for (size_t layer = 0; layer < owned.size(); ++layer) {
    for (int expert = 0; expert < config_.num_experts; ++expert) {
      if (expert_owner_[layer][static_cast<size_t>(expert)] == transport_->rank())
        owned[layer].push_back(expert);
    }
  }
  return owned;
}

absl::Status StepRig::UsePacked(const StepRigOptions& options) {
  worker::PackedLayout layout(weights_);
  const std::vector<int> units = layout.UnitsOf(OwnedExperts());
  ATOLL_ASSIGN_OR_RETURN(const uint64_t digest, worker::ContentDigest(*checkpoint_));
  ATOLL_ASSIGN_OR_RETURN(
      auto space, worker::OpenPackedSpace({.mode = worker::PackedMode::kFile,
                                           .folders = worker::PackedFolders("", options.model),
                                           .digest = digest,
                                           .units = units},
                                          layout));
  packed_ = std::make_unique<worker::PackedStore>(
      *checkpoint_, std::move(layout), std::move(space),
      worker::PackedStoreOptions{.backend = context_->backend(),
                                 .release = worker::PageRelease::kForget});
  packed_->Want(units);
  for (worker::PackProgress progress = worker::PackProgress::kPacked;
       progress != worker::PackProgress::kDone;) {
    ATOLL_ASSIGN_OR_RETURN(progress, packed_->PackNext(std::stop_token()));
    if (packed_->Adopt(weights_)) decoder_->UseWeights(weights_);
  }
  return absl::OkStatus();
}

// By the CPU and not only from disk: the pages of a virtual machine are slow until its host has
// seen them in use.
void StepRig::ReadWeights() {
  constexpr int kPasses = 3;
  const std::vector<worker::WeightRange> ranges =
      worker::OwnedRanges(*checkpoint_, weights_, OwnedExperts());
  worker::Prefault(ranges, [](uint64_t, uint64_t, const std::string&) {});
  std::atomic<uint64_t> sum = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    context_->ParallelFor(static_cast<int>(ranges.size()), [&](int task, int) {
      const worker::WeightRange& range = ranges[static_cast<size_t>(task)];
      uint64_t bytes = 0;
      for (uint64_t at = 0; at < range.size_bytes; at += kCacheLineBytes)
        bytes += static_cast<uint64_t>(range.data[at]);
      sum += bytes;
    });
  }
}

uint32_t StepRig::Random() { return random_ = random_ * 1664525u + 1013904223u; }

void StepRig::Start(const StepShape& shape) {
  shape_ = shape;
  sequences_.clear();
  int32_t next_block = 0;
  // Room for what the measured steps add.
  const int blocks = cache_->config().num_blocks / std::max(1, shape.num_sequences);
  for (int i = 0; i < shape.num_sequences; ++i) {
    worker::HomeSequence sequence;
    sequence.start = {.seq = SeqId{static_cast<uint64_t>(i) + 1},
                      .state_slot = SlotId{i},
                      .max_new_tokens = 1 << 30,
                      .sampling = {.temperature = 0.0f}};
    sequence.length = shape.depth;
    for (int b = 0; b < blocks; ++b) sequence.blocks.push_back(BlockId{next_block++});
    sequences_.push_back(std::move(sequence));
  }
  FillCaches();
}

// Numbers in [-1, 1): what they are does not change the time, as long as none is denormal.
void StepRig::FillCaches() {
  std::vector<Bf16> pattern(1 << 20);
  for (Bf16& value : pattern)
    value = ToBf16(static_cast<float>(static_cast<int32_t>(Random())) * 0x1p-31f);
  const kernels::KvLayerView layer = cache_->Layer(0);
  const size_t block_bytes = static_cast<size_t>(layer.block_stride_bytes);
  for (const worker::HomeSequence& sequence : sequences_) {
    for (int b = 0; b < NumBlocks(sequence.length); ++b) {
      std::byte* block = layer.base + int64_t{Value(sequence.blocks[static_cast<size_t>(b)])} *
                                          layer.block_stride_bytes;
      for (size_t at = 0; at < block_bytes; at += pattern.size())
        std::memcpy(block + at, pattern.data(), std::min(pattern.size(), block_bytes - at));
    }
    for (int i = 0; i < cache_->config().num_linear_layers; ++i) {
      const worker::LinearState state = cache_->Slot(sequence.start.state_slot, i);
      const int64_t floats = kernels::DeltaStateFloats(cache_->config().delta);
      for (int64_t f = 0; f < floats; ++f)
        state.state[f] = ToFloat(pattern[static_cast<size_t>(f) % pattern.size()]);
    }
    cache_->SetStateLength(sequence.start.state_slot, sequence.length);
  }
}

absl::StatusOr<double> StepRig::Step(std::vector<int32_t> rows_by_rank) {
  std::vector<SequenceWork> work(sequences_.size());
  worker::BatchInput batch;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    worker::HomeSequence& sequence = sequences_[i];
    const int rows = shape_.num_rows;
    CHECK(NumBlocks(sequence.length + rows) <= static_cast<int>(sequence.blocks.size()),
          "sequence {} of {} tokens has {} blocks", i, sequence.length + rows,
          sequence.blocks.size());
    work[i] = {
        .seq = sequence.start.seq, .begin = sequence.length, .num_rows = rows, .sample = true};
    batch.entries.push_back({.sequence = &sequence, .work = &work[i]});
    batch.rows.push_back({.row_begin = static_cast<int>(batch.ids.size()),
                          .num_rows = rows,
                          .position_begin = sequence.length,
                          .blocks = sequence.blocks,
                          .slot = sequence.start.state_slot,
                          .store = sequence.length == 0 ? kernels::DeltaStore::kOwn
                                   : rows <= kLateRows  ? kernels::DeltaStore::kWait
                                                        : kernels::DeltaStore::kSpare,
                          .spare = sequence.length > 0 && rows > kLateRows ? 0 : -1});
    for (int row = 0; row < rows; ++row) {
      batch.ids.push_back(
          TokenId{static_cast<int32_t>(Random() % static_cast<uint32_t>(config_.vocab_size))});
      batch.positions.push_back(sequence.length + row);
    }
  }
  const auto start = std::chrono::steady_clock::now();
  ATOLL_RETURN_IF_ERROR(Run(batch, std::move(rows_by_rank)));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

absl::Status StepRig::Run(const worker::BatchInput& batch, std::vector<int32_t> rows_by_rank) {
  if (rows_by_rank.empty()) rows_by_rank = {static_cast<int32_t>(batch.ids.size())};
  ATOLL_RETURN_IF_ERROR(decoder_->Forward({.context = *context_,
                                           .cache = *cache_,
                                           .dispatcher = *dispatcher_,
                                           .expert_owner = expert_owner_},
                                          {.key = {.epoch = {1, 1}, .step = ++step_},
                                           .ids = batch.ids,
                                           .positions = batch.positions,
                                           .sequences = batch.rows,
                                           .rows_by_rank = rows_by_rank}));
  ATOLL_ASSIGN_OR_RETURN(const std::vector<worker::EntryOutcome> outcomes, head_->Sample(batch));
  for (size_t i = 0; i < outcomes.size(); ++i) {
    ATOLL_RETURN_IF_ERROR(outcomes[i].status);
    const worker::SequenceRows& rows = batch.rows[i];
    sequences_[i].length += rows.num_rows;
    if (rows.store == kernels::DeltaStore::kSpare)
      cache_->SwapSpare(rows.slot, rows.spare, sequences_[i].length);
    else if (rows.store == kernels::DeltaStore::kOwn)
      cache_->SetStateLength(rows.slot, sequences_[i].length);
  }
  return absl::OkStatus();
}

}  // namespace atl::bench
