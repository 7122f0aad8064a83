// Where a worker keeps packed weights: a file that its machine shares, memory of its own, nowhere.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "worker/packed_weights/packed_layout.h"
#include "worker/packed_weights/packed_space.h"

namespace atl::worker {

enum class PackedMode : uint8_t {
  kAuto,    // a file where there is one or twice the space for it, else memory, else nowhere
  kFile,    // a file or an error
  kMemory,  // memory or an error
  kOff,
};
// "auto", "file", "memory", "off"; the flag's check has seen it.
PackedMode PackedModeOf(const std::string& name);

struct PackedRequest {
  PackedMode mode = PackedMode::kAuto;
  // Where the file may be; the first folder that works has it.
  std::vector<std::string> folders;
  uint64_t digest = 0;     // of what is packed; the file's name
  std::vector<int> units;  // of this worker
  // What a packed copy may take beside the files that it is made of.
  int64_t memory_free_bytes = 0;
};

// The folder that is named, or the checkpoint's own and then the user's cache,
// $XDG_CACHE_HOME/atoll or ~/.cache/atoll.
std::vector<std::string> PackedFolders(const std::string& named, const std::string& checkpoint);

// The file that packed weights of this digest have in a folder.
std::string PackedFilePath(const std::string& folder, uint64_t digest);

// Null: nowhere; the log says why. kFailedPrecondition, kResourceExhausted: the mode asks for what
// this machine does not have.
absl::StatusOr<std::unique_ptr<PackedSpace>> OpenPackedSpace(const PackedRequest& request,
                                                             const PackedLayout& layout);

}  // namespace atl::worker
