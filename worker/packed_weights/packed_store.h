// PackedStore: packs a worker's weights unit by unit, on a thread of the background, and hands the
// packed form to the steps.
//
//   PackedStore store(checkpoint, weights, std::move(space), options);
//   store.Want(units);                     // and what is complete already is ready
//   WeightPacker packer(store);            // calls PackNext until all is done
//   if (store.Adopt(weights)) decoder.UseWeights(weights);   // between two steps
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <vector>

#include "kernels/dispatch/kernel_context.h"
#include "worker/packed_weights/packed_layout.h"
#include "worker/packed_weights/packed_space.h"
#include "worker/weights/checkpoint.h"

namespace atl::worker {

struct PackedStoreOptions {
  kernels::Backend backend = kernels::Backend::kRef;
  // What happens to the pages of matrices that nobody reads row-major any more.
  PageRelease release = PageRelease::kUnmap;
  // What is made to last at once: what a crash may cost, and how often the disk is waited for.
  uint64_t batch_bytes = uint64_t{128} << 20;
};

enum class PackProgress : uint8_t {
  kPacked,   // there may be more to do
  kWaiting,  // for other workers, or for Adopt
  kDone,
};

// **Threads**: PackNext on one, Adopt on one, Want while neither runs.
class PackedStore {
 public:
  // The checkpoint outlives the store; `weights` are its own, of which none is packed.
  PackedStore(const Checkpoint& checkpoint, PackedLayout layout, std::unique_ptr<PackedSpace> space,
              const PackedStoreOptions& options);

  // Units of this worker, beside those wanted before.
  void Want(const std::vector<int>& units);

  // Packs a unit that nobody else packs, or lets go of what was adopted. Once stopped it returns
  // within milliseconds, the unit undone. Errors are those of the space: what is ready stays so,
  // and nothing more will be.
  absl::StatusOr<PackProgress> PackNext(const std::stop_token& stop);

  // Lets `weights` know what became ready since the last call; false: nothing did.
  // Without locks; the views of before stay valid.
  bool Adopt(ModelWeights& weights);

  const PackedLayout& layout() const { return layout_; }
  uint64_t ready_bytes() const { return ready_bytes_; }
  uint64_t wanted_bytes() const { return wanted_bytes_; }

 private:
  void PublishComplete();
  void Publish(int unit);
  void ReleaseAdopted();
  absl::Status Pack(int unit, const std::stop_token& stop);
  absl::Status PackMatrix(const PackedMatrix& matrix, const std::stop_token& stop);
  absl::Status CompleteWritten();

  const Checkpoint& checkpoint_;
  PackedLayout layout_;
  std::unique_ptr<PackedSpace> space_;
  PackedStoreOptions options_;
  kernels::KernelContext context_;
  kernels::Buffer buffer_;

  std::vector<bool> is_wanted_;
  std::vector<int> waiting_;  // neither written nor ready
  std::vector<int> written_;  // not yet complete
  uint64_t written_bytes_ = 0, ready_bytes_ = 0, wanted_bytes_ = 0;

  // ready_[0 … num_ready_) is written once, before the count; Adopt follows it, and the release of
  // pages follows Adopt.
  std::vector<int> ready_;
  std::atomic<size_t> num_ready_ = 0, num_adopted_ = 0;
  size_t num_released_ = 0;
};

}  // namespace atl::worker
