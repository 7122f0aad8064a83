// One safetensors file, mapped read-only. The header is checked whole before anything is handed
// out: sizes, offsets without gap or overlap, names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/status.h"

namespace atl {

struct StoredTensor {
  std::string dtype;  // as written: "BF16", "F32", "F16", "F8_E4M3", …
  std::vector<int64_t> shape;
  const std::byte* data = nullptr;
  uint64_t size_bytes = 0;
};

class SafetensorsFile {
 public:
  // kNotFound: no such file; kDataLoss: truncated or contradictory. Messages name the file and,
  // where there is one, the tensor.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(const std::string& path);
  // The same over bytes in memory, which must outlive the object (atoll-check load, tests,
  // fuzzing). `name` stands in messages.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> FromBytes(const std::byte* data,
                                                                    size_t size_bytes,
                                                                    const std::string& name);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const { return path_; }
  const std::unordered_map<std::string, StoredTensor>& tensors() const { return tensors_; }
  // The bytes of the JSON header, for a digest of what the file claims to hold.
  std::string header() const { return header_; }

 private:
  SafetensorsFile() = default;
  absl::Status ReadHeader(const std::byte* data, size_t size_bytes);

  std::string path_;
  std::string header_;
  void* mapped_ = nullptr;
  size_t mapped_bytes_ = 0;
  std::unordered_map<std::string, StoredTensor> tensors_;
};

}  // namespace atl
