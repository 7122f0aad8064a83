// Small text files of a checkpoint, read whole under a size limit.
#pragma once

#include <cstddef>
#include <string>

#include "common/base/status.h"

namespace atl {

// kNotFound: no such file or not readable; kInvalidArgument: larger than `size_bytes_max`, or a
// folder.
absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t size_bytes_max);

}  // namespace atl
