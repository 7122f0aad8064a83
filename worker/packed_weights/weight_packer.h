// PanelPacker: the thread that packs, behind everything else that its machine has to do.
#pragma once

#include <thread>

#include "worker/packed_weights/packed_store.h"

namespace atl::worker {

class PanelPacker {
 public:
  // Packs until all that the store wants is done and adopted, or the space fails; the log tells.
  // The store outlives the packer.
  explicit PanelPacker(PanelStore& store);
  // Stops within milliseconds, or when the disk has taken what it was given.
  ~PanelPacker() = default;

 private:
  std::jthread thread_;
};

}  // namespace atl::worker
