// WeightPacker: the thread that packs, behind everything else that its machine has to do.
#pragma once

#include <thread>

#include "worker/packed_weights/packed_store.h"

namespace atl::worker {

class WeightPacker {
 public:
  // Packs until all that the store wants is done and adopted, or the space fails; the log tells.
  // The store outlives the packer.
  explicit WeightPacker(PackedStore& store);
  // Stops within milliseconds, or when the disk has taken what it was given.
  ~WeightPacker() = default;

 private:
  std::jthread thread_;
};

}  // namespace atl::worker
