// config.json and generation_config.json as published for Qwen3.6-35B-A3B (docs/model.md 1), and
// what a stored form changes in a config.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "worker/weights/inventory.h"

namespace atl::tools {

enum class ReleaseType : uint8_t { kBf16, kF32, kFp8 };

// The published layers, repeated or cut to `num_layers`; no vision tower.
std::string PublishedConfig(int num_layers);
std::string PublishedGenerationConfig();

// `config` with dtype and quantization_config of this type. modules_to_not_convert are the matrices
// and convolutions of `tensors` that stay bf16. kInvalidArgument: no JSON object.
absl::StatusOr<std::string> WithReleaseType(const std::string& config, ReleaseType type,
                                            const std::vector<worker::ExpectedTensor>& tensors);

}  // namespace atl::tools
