// The vision tower that releases carry (docs/model.md 2.1); Atoll skips it.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "worker/weights/inventory.h"

namespace atl::tools {

// `config` is the text of a config.json with vision_config. kNotFound: it has none;
// kInvalidArgument: names the key at fault.
absl::StatusOr<std::vector<worker::ExpectedTensor>> VisionInventory(const std::string& config);

}  // namespace atl::tools
