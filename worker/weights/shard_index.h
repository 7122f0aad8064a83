// model.safetensors.index.json: which file of the folder holds each tensor.
#pragma once

#include <map>
#include <string>

#include "common/base/status.h"

namespace atl {

// By the tensor's stored name; the file is a plain name in the same folder.
using ShardIndex = std::map<std::string, std::string>;

// kNotFound: no such file; kInvalidArgument, kDataLoss: too large, malformed, or naming a file
// elsewhere, with the path and the tensor.
absl::StatusOr<ShardIndex> ReadShardIndex(const std::string& path);

}  // namespace atl
