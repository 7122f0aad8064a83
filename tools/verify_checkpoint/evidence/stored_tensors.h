// The tensors of a checkpoint folder as its files have them, whatever is wrong with some.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tools/verify_checkpoint/evidence/report.h"
#include "worker/weights/safetensors/safetensors.h"

namespace atl::tools {

struct LocatedTensor {
  const worker::StoredTensor* tensor = nullptr;
  const worker::SafetensorsFile* file = nullptr;
};

struct StoredCheckpoint {
  std::vector<std::unique_ptr<worker::SafetensorsFile>> files;
  std::map<std::string, LocatedTensor> tensors;  // by stored name
  std::set<std::string> unreadable;              // names that the index places in unreadable files
  uint64_t tensor_bytes = 0;

  bool HasAny(const std::string& canonical_prefix) const;
};

// Reports missing and damaged files and where they contradict the index. kNotFound, kDataLoss:
// there is nothing to look at: no file of weights that can be read, or an index that is none.
absl::StatusOr<StoredCheckpoint> ReadStoredCheckpoint(const std::string& folder, Report& report);

}  // namespace atl::tools
