// The JSON header of a safetensors file, checked whole: sizes, offsets without gap or overlap,
// names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace atl::worker {

struct StoredTensor {
  std::string dtype;  // as written: "BF16", "F32", "F16", "F8_E4M3", …
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;
  uint64_t size_bytes = 0;
};
using StoredTensors = std::map<std::string, StoredTensor>;

// Larger headers are refused unread; that of the largest checkpoint in use has 10 MB.
inline constexpr uint64_t kSafetensorsHeaderBytesMax = uint64_t{64} << 20;

// `data` are the `data_bytes` behind the header. kDataLoss naming the tensor where there is one.
// Memory grows with the tensors that the header names, at most a few times its size.
absl::StatusOr<StoredTensors> ReadSafetensorsHeader(std::string_view header, const std::byte* data,
                                                    uint64_t data_bytes);

}  // namespace atl::worker
