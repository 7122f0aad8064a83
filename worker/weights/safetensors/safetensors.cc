#include "worker/weights/safetensors/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"

namespace atl::worker {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr size_t kPrefixBytes = 8;  // the header's size, little-endian

// The header's size, from the first bytes of a file of `size_bytes`.
absl::StatusOr<size_t> HeaderBytes(std::string_view prefix, uint64_t size_bytes) {
  if (prefix.size() < kPrefixBytes) {
    return DataLoss("{} bytes: too short for a safetensors file; copy the file again", size_bytes);
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, prefix.data(), sizeof header_bytes);
  if (header_bytes == 0) return DataLoss("its header is empty; copy the file again");
  if (header_bytes > size_bytes - kPrefixBytes) {
    return DataLoss(
        "its header claims {} bytes, the file has {}: truncated, or not a safetensors file; copy "
        "the file again",
        header_bytes, size_bytes);
  }
  if (header_bytes > kSafetensorsHeaderBytesMax) {
    return DataLoss("its header has {} bytes, at most {} are read; split the checkpoint",
                    header_bytes, kSafetensorsHeaderBytesMax);
  }
  return header_bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  ATOLL_ASSIGN_OR_RETURN(InputFile input, InputFile::Open(path));
  const size_t size_bytes = input.size_bytes();
  ATOLL_ASSIGN_OR_RETURN(const std::string prefix,
                         input.Read(0, std::min(size_bytes, kPrefixBytes)));
  const absl::StatusOr<size_t> header_bytes = HeaderBytes(prefix, size_bytes);
  if (!header_bytes.ok()) return Annotate(header_bytes.status(), path);

  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->path_ = path;
  // Read, not taken from the mapping: a file that is cut short meanwhile gives an error, no signal.
  ATOLL_ASSIGN_OR_RETURN(file->header_, input.Read(kPrefixBytes, *header_bytes));
  void* const mapped = mmap(nullptr, size_bytes, PROT_READ, MAP_SHARED, input.descriptor(), 0);
  if (mapped == MAP_FAILED) {
    return ResourceExhausted("{}: cannot be mapped: {}; raise the limit of address space", path,
                             std::generic_category().message(errno));
  }
  file->bytes_ = static_cast<const std::byte*>(mapped);
  file->size_bytes_ = size_bytes;
  file->input_.emplace(std::move(input));
  ATOLL_RETURN_IF_ERROR(file->input_->CheckSize());
  const size_t data_begin = kPrefixBytes + *header_bytes;
  auto tensors =
      ReadSafetensorsHeader(file->header_, file->bytes_ + data_begin, size_bytes - data_begin);
  if (!tensors.ok()) return Annotate(tensors.status(), path);
  file->tensors_ = *std::move(tensors);
  return file;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::FromBytes(
    const std::byte* data, size_t size_bytes, const std::string& name) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size_bytes);
  const absl::StatusOr<size_t> header_bytes = HeaderBytes(bytes, size_bytes);
  if (!header_bytes.ok()) return Annotate(header_bytes.status(), name);

  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->path_ = name;
  file->bytes_ = data;
  file->size_bytes_ = size_bytes;
  file->header_ = bytes.substr(kPrefixBytes, *header_bytes);
  const size_t data_begin = kPrefixBytes + *header_bytes;
  auto tensors = ReadSafetensorsHeader(file->header_, data + data_begin, size_bytes - data_begin);
  if (!tensors.ok()) return Annotate(tensors.status(), name);
  file->tensors_ = *std::move(tensors);
  return file;
}

SafetensorsFile::~SafetensorsFile() {
  if (input_.has_value()) munmap(const_cast<std::byte*>(bytes_), size_bytes_);
}

bool SafetensorsFile::Contains(const void* data) const {
  const auto* const byte = static_cast<const std::byte*>(data);
  return !std::less<>()(byte, bytes_) && std::less<>()(byte, bytes_ + size_bytes_);
}

uint64_t SafetensorsFile::OffsetOf(const void* data) const {
  CHECK(Contains(data), "{}: not of this file", path_);
  return static_cast<uint64_t>(static_cast<const std::byte*>(data) - bytes_);
}

absl::StatusOr<std::string> SafetensorsFile::Read(uint64_t offset, size_t size_bytes) const {
  CHECK(offset <= size_bytes_ && size_bytes <= size_bytes_ - offset);
  if (input_.has_value()) return input_->Read(offset, size_bytes);
  return std::string(reinterpret_cast<const char*>(bytes_ + offset), size_bytes);
}

void SafetensorsFile::Release(const std::byte* data, uint64_t size_bytes,
                              PageRelease release) const {
  // What a page shares with neighbours, who may still be read, stays.
  const uint64_t begin = (OffsetOf(data) + kPageBytes - 1) / kPageBytes * kPageBytes;
  const uint64_t end = (OffsetOf(data) + size_bytes) / kPageBytes * kPageBytes;
  if (!input_.has_value() || begin >= end) return;
  // Wishes: the bytes stay in the file whatever becomes of them.
  madvise(const_cast<std::byte*>(bytes_) + begin, end - begin, MADV_DONTNEED);
  if (release == PageRelease::kForget) {
    posix_fadvise(input_->descriptor(), static_cast<off_t>(begin), static_cast<off_t>(end - begin),
                  POSIX_FADV_DONTNEED);
  }
}

}  // namespace atl::worker
