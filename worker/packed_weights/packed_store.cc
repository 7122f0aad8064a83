#include "worker/packed_weights/packed_store.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "kernels/ops/gemm/panels.h"

namespace atl::worker {
namespace {

// Written at once: whole huge pages, small enough for a cache.
constexpr uint64_t kChunkBytes = uint64_t{2} << 20;

}  // namespace

PackedStore::PackedStore(const Checkpoint& checkpoint, PackedLayout layout,
                         std::unique_ptr<PackedSpace> space, const PackedStoreOptions& options)
    : checkpoint_(checkpoint),
      layout_(std::move(layout)),
      space_(std::move(space)),
      options_(options),
      context_(options.backend, nullptr),
      is_wanted_(static_cast<size_t>(layout_.num_units())),
      ready_(static_cast<size_t>(layout_.num_units())) {}

void PackedStore::Want(const std::vector<int>& units) {
  for (const int unit : units) {
    if (is_wanted_[static_cast<size_t>(unit)]) continue;
    is_wanted_[static_cast<size_t>(unit)] = true;
    waiting_.push_back(unit);
    wanted_bytes_ += layout_.unit_bytes(unit);
  }
  PublishComplete();
}

absl::StatusOr<PackProgress> PackedStore::PackNext(const std::stop_token& stop) {
  ReleaseAdopted();
  const auto mine =
      std::find_if(waiting_.begin(), waiting_.end(), [&](int unit) { return space_->Claim(unit); });
  if (mine == waiting_.end()) {
    ATOLL_RETURN_IF_ERROR(CompleteWritten());
    PublishComplete();
    return waiting_.empty() && num_released_ == num_ready_ ? PackProgress::kDone
                                                           : PackProgress::kWaiting;
  }
  const int unit = *mine;
  if (space_->IsComplete(unit)) {  // another worker's, in the meantime
    Publish(unit);
  } else {
    ATOLL_RETURN_IF_ERROR(Pack(unit, stop));
    if (stop.stop_requested()) return PackProgress::kPacked;
    written_.push_back(unit);
    written_bytes_ += layout_.unit_bytes(unit);
  }
  waiting_.erase(mine);
  if (written_bytes_ >= options_.batch_bytes) ATOLL_RETURN_IF_ERROR(CompleteWritten());
  return PackProgress::kPacked;
}

absl::Status PackedStore::Pack(int unit, const std::stop_token& stop) {
  for (const PackedMatrix& matrix : layout_.unit(unit))
    ATOLL_RETURN_IF_ERROR(PackMatrix(matrix, stop));
  return absl::OkStatus();
}

absl::Status PackedStore::PackMatrix(const PackedMatrix& matrix, const std::stop_token& stop) {
  const auto panels_at_once =
      static_cast<int64_t>(std::max(uint64_t{1}, kChunkBytes / matrix.panel_bytes()));
  buffer_.Reserve(static_cast<uint64_t>(panels_at_once) * matrix.panel_bytes());
  for (int64_t first = 0; first < matrix.num_panels() && !stop.stop_requested();
       first += panels_at_once) {
    const int64_t count = std::min(panels_at_once, matrix.num_panels() - first);
    ATOLL_RETURN_IF_ERROR(
        PackPanels(context_, {.w = matrix.values,
                              .first = first,
                              .count = count,
                              .panels = reinterpret_cast<kernels::Bf16*>(buffer_.data())}));
    ATOLL_RETURN_IF_ERROR(
        space_->Write(matrix.offset + static_cast<uint64_t>(first) * matrix.panel_bytes(),
                      {buffer_.data(), static_cast<uint64_t>(count) * matrix.panel_bytes()}));
  }
  return absl::OkStatus();
}

absl::Status PackedStore::CompleteWritten() {
  ATOLL_RETURN_IF_ERROR(space_->Complete(written_));
  for (const int unit : written_) {
    // Here, not in a step that waits for it.
    for (const PackedMatrix& matrix : layout_.unit(unit))
      ReadPages(space_->data() + matrix.offset, matrix.size_bytes());
    Publish(unit);
  }
  written_.clear();
  written_bytes_ = 0;
  return absl::OkStatus();
}

void PackedStore::PublishComplete() {
  std::erase_if(waiting_, [&](int unit) {
    if (!space_->IsComplete(unit)) return false;
    Publish(unit);
    return true;
  });
}

void PackedStore::Publish(int unit) {
  const size_t ready = num_ready_.load(std::memory_order_relaxed);
  ready_[ready] = unit;
  ready_bytes_ += layout_.unit_bytes(unit);
  num_ready_.store(ready + 1, std::memory_order_release);
}

bool PackedStore::Adopt(ModelWeights& weights) {
  const size_t ready = num_ready_.load(std::memory_order_acquire);
  const size_t adopted = num_adopted_.load(std::memory_order_relaxed);
  if (adopted == ready) return false;
  for (size_t i = adopted; i < ready; ++i) layout_.UsePacked(ready_[i], space_->data(), weights);
  num_adopted_.store(ready, std::memory_order_release);
  return true;
}

void PackedStore::ReleaseAdopted() {
  const size_t adopted = num_adopted_.load(std::memory_order_acquire);
  for (; num_released_ < adopted; ++num_released_) {
    for (const PackedMatrix& matrix : layout_.unit(ready_[num_released_]))
      checkpoint_.Release(matrix.values, options_.release);
  }
}

}  // namespace atl::worker
