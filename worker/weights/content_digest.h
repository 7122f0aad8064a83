// A digest of what a checkpoint holds, for what is derived from its weights and kept.
#pragma once

#include <cstdint>

#include "common/base/status.h"
#include "worker/weights/checkpoint.h"

namespace atl::worker {

// FNV-1a of Checkpoint::digest, the sizes of the files, and of every tensor its place and samples
// of its bytes: its ends and some at least every 16 MiB. Checkpoints with equal headers and other
// weights differ in it. Reads a few KB a tensor. kDataLoss: a file that was cut short.
absl::StatusOr<uint64_t> ContentDigest(const Checkpoint& checkpoint);

}  // namespace atl::worker
