// model.safetensors.index.json: which file of the folder holds each tensor.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/base/status.h"

namespace atl::worker {

struct ShardIndex {
  // By the tensor's stored name; the file is a plain name in the same folder.
  std::map<std::string, std::string> file_of;
  std::optional<uint64_t> total_bytes;  // metadata.total_size, as it is claimed
};

// kNotFound: no such file; kInvalidArgument, kDataLoss: too large, malformed, or naming a file
// elsewhere, with the path and the tensor.
absl::StatusOr<ShardIndex> ReadShardIndex(const std::string& path);

}  // namespace atl::worker
