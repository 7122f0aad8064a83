// Every tensor's name, shape and type against what the loaders will ask for.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/config/model_config.h"
#include "tools/verify_checkpoint/evidence/report.h"
#include "tools/verify_checkpoint/evidence/stored_tensors.h"
#include "worker/weights/inventory.h"

namespace atl::tools {

// What a folder of this config should have. Experts fused, one by one or FP8 as the files have
// them; MTP layer and vision tower only where the files have any of it. `config_text` is
// config.json.
absl::StatusOr<std::vector<worker::ExpectedTensor>> ExpectedOf(const StoredCheckpoint& stored,
                                                               const ModelConfig& config,
                                                               const std::string& config_text);

enum class Release : uint8_t { kAnother, kPublished };

// Reports missing, unexpected and misshapen tensors, those of another type, and where the config's
// quantisation contradicts the files. kPublished: nothing was found, and count and bytes are those
// of Qwen3.6-35B-A3B.
Release CheckTensors(const StoredCheckpoint& stored,
                     const std::vector<worker::ExpectedTensor>& expected, const ModelConfig& config,
                     Report& report);

}  // namespace atl::tools
