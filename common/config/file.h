// Files of a checkpoint, opened without trusting what the path leads to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/status.h"

namespace atl {

// A plain file opened for reading; a pipe or a device is refused without waiting for it.
class InputFile {
 public:
  // kNotFound: no such file; kInvalidArgument: a folder, a device, a loop of links, not readable.
  static absl::StatusOr<InputFile> Open(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  const std::string& path() const { return path_; }
  uint64_t size_bytes() const { return size_bytes_; }  // when it was opened
  int descriptor() const { return descriptor_; }       // closed with this object

  // kDataLoss: the file has become shorter.
  absl::StatusOr<std::string> Read(uint64_t offset, size_t size_bytes) const;
  // kDataLoss: the file no longer has the size that it was opened with.
  absl::Status CheckSize() const;

 private:
  InputFile() = default;

  std::string path_;
  uint64_t size_bytes_ = 0;
  int descriptor_ = -1;
};

// The whole file. Errors as InputFile; kInvalidArgument: larger than `size_bytes_max`.
absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t size_bytes_max);

}  // namespace atl
