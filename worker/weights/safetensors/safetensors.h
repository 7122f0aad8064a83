// One safetensors file, mapped read-only. The header is checked whole before anything is handed
// out.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "common/base/status.h"
#include "common/config/file.h"
#include "worker/weights/safetensors/mapped_pages.h"
#include "worker/weights/safetensors/safetensors_header.h"

namespace atl::worker {

class SafetensorsFile {
 public:
  // kNotFound: no such file; kInvalidArgument: no plain file, or not readable; kDataLoss: truncated
  // or contradictory. Messages name the file and, where there is one, the tensor.
  // **Lifetime**: whoever cuts the file short later ends the process that reads its tensors.
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
  const StoredTensors& tensors() const { return tensors_; }
  size_t size_bytes() const { return size_bytes_; }
  // Whether `data` points into this file's bytes.
  bool Contains(const void* data) const;
  // Where a byte of this file stands in it.
  uint64_t OffsetOf(const void* data) const;
  // Bytes of the file, without mapping their pages. kDataLoss: it has been cut short.
  absl::StatusOr<std::string> Read(uint64_t offset, size_t size_bytes) const;
  // Lets go of the pages that lie within these bytes of the file; who reads them again waits for
  // them.
  void Release(const std::byte* data, uint64_t size_bytes, PageRelease release) const;
  // The bytes of the JSON header, for a digest of what the file claims to hold.
  const std::string& header() const { return header_; }

 private:
  SafetensorsFile() = default;

  std::string path_;
  std::string header_;
  std::optional<InputFile> input_;    // of a mapped file
  const std::byte* bytes_ = nullptr;  // of the whole file
  size_t size_bytes_ = 0;
  StoredTensors tensors_;
};

}  // namespace atl::worker
