#include "worker/packed_weights/packed_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "common/base/check.h"
#include "common/base/status_macros.h"

namespace atl::worker {
namespace {

// How often a file that others replace meanwhile is opened again.
constexpr int kOpensMax = 16;
// Units of the largest file that is believed: no model has as many experts.
constexpr uint32_t kUnitsMax = 1u << 24;

std::string ErrorText(int error) { return std::generic_category().message(error); }

absl::Status WriteError(const std::string& path, int error) {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return ResourceExhausted(
        "{}: no room for packed weights: {}; make room, or name another folder with "
        "--packed-weights-dir",
        path, ErrorText(error));
  }
  return Unavailable("{}: cannot be written: {}; check the disk", path, ErrorText(error));
}

absl::Status ReadAll(int descriptor, const std::string& path, void* data, size_t size_bytes) {
  const ssize_t count = pread(descriptor, data, size_bytes, 0);
  if (count == static_cast<ssize_t>(size_bytes)) return absl::OkStatus();
  return DataLoss("{}: cut short in its head: no packed weights; delete it", path);
}

// A lock on the unit's own byte: it ends with the process, so nobody waits for the dead.
bool LockByte(int descriptor, int unit, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(PackedLayout::StateOffset(unit));
  lock.l_len = 1;
  return fcntl(descriptor, F_OFD_SETLK, &lock) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PackedFile>> PackedFile::Open(const std::string& path,
                                                             uint64_t digest,
                                                             const PackedLayout& layout) {
  const PackedHead expected = {.version = kPackedFormatVersion,
                               .num_units = static_cast<uint32_t>(layout.num_units()),
                               .digest = digest,
                               .size_bytes = layout.size_bytes()};
  CHECK(expected.num_units <= kUnitsMax);
  for (int opens = 0; opens < kOpensMax; ++opens) {
    std::unique_ptr<PackedFile> file(new PackedFile(path));
    ATOLL_RETURN_IF_ERROR(file->OpenDescriptor());
    ATOLL_RETURN_IF_ERROR(file->Lock());
    if (!file->IsAtItsPath()) continue;
    const absl::Status status = file->CheckOrMake(expected);
    if (status.ok()) {
      ATOLL_RETURN_IF_ERROR(file->Map(expected.size_bytes));
      flock(file->descriptor_, LOCK_UN);
      return file;
    }
    if (!absl::IsDataLoss(status) || !file->is_writable_) return status;
    // Under the lock: nobody else replaces it, and whoever maps the old one keeps it.
    if (unlink(path.c_str()) != 0) return WriteError(path, errno);
  }
  return Unavailable("{}: replaced {} times while it was opened; start again", path, kOpensMax);
}

PackedFile::~PackedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_bytes_);
  if (descriptor_ >= 0) close(descriptor_);
}

absl::Status PackedFile::OpenDescriptor() {
  constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | kFlags, 0644);
  if (descriptor_ < 0) {
    const int error = errno;
    if (error == ENOSPC || error == EDQUOT) return WriteError(path_, error);
    is_writable_ = false;
    descriptor_ = open(path_.c_str(), O_RDONLY | kFlags);
    if (descriptor_ < 0) {
      if (error == ELOOP || error == EISDIR)
        return DataLoss("{}: not a plain file; delete it", path_);
      return NotFound("{}: cannot be made: {}; name another folder with --packed-weights-dir",
                      path_, ErrorText(error));
    }
  }
  struct stat info {};
  if (fstat(descriptor_, &info) != 0 || !S_ISREG(info.st_mode)) {
    is_writable_ = false;
    return DataLoss("{}: not a plain file; delete it", path_);
  }
  return absl::OkStatus();
}

// Held for moments only: while a head is checked or made.
absl::Status PackedFile::Lock() {
  while (flock(descriptor_, is_writable_ ? LOCK_EX : LOCK_SH) != 0) {
    if (errno != EINTR)
      return Unavailable(
          "{}: cannot be locked: {}; name a folder of a local disk with "
          "--packed-weights-dir",
          path_, ErrorText(errno));
  }
  return absl::OkStatus();
}

bool PackedFile::IsAtItsPath() const {
  struct stat mine {
  }, there{};
  return fstat(descriptor_, &mine) == 0 && stat(path_.c_str(), &there) == 0 &&
         mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

absl::Status PackedFile::CheckOrMake(const PackedHead& expected) {
  struct stat info {};
  if (fstat(descriptor_, &info) != 0) return Unavailable("{}: {}", path_, ErrorText(errno));
  if (info.st_size == 0 && is_writable_) return MakeHead(expected);
  if (static_cast<uint64_t>(info.st_size) != expected.size_bytes) {
    return DataLoss("{}: {} bytes, packed weights of this checkpoint have {}; delete it", path_,
                    info.st_size, expected.size_bytes);
  }
  return CheckHead(expected);
}

absl::Status PackedFile::CheckHead(const PackedHead& expected) const {
  PackedHead head;
  ATOLL_RETURN_IF_ERROR(ReadAll(descriptor_, path_, &head, sizeof head));
  if (head != expected)
    return DataLoss("{}: its head is not that of packed weights of this checkpoint; delete it",
                    path_);
  std::vector<char> bytes(sizeof head + expected.num_units);
  ATOLL_RETURN_IF_ERROR(ReadAll(descriptor_, path_, bytes.data(), bytes.size()));
  for (size_t i = sizeof head; i < bytes.size(); ++i) {
    if (bytes[i] != 0 && bytes[i] != 1)
      return DataLoss("{}: unit {} is neither complete nor not; delete it", path_, i - sizeof head);
  }
  return absl::OkStatus();
}

// The size first: a file of its size without a head is not believed, and made anew.
absl::Status PackedFile::MakeHead(const PackedHead& expected) {
  if (ftruncate(descriptor_, static_cast<off_t>(expected.size_bytes)) != 0) {
    const absl::Status status = WriteError(path_, errno);
    unlink(path_.c_str());
    return status;
  }
  size_bytes_ = expected.size_bytes;
  ATOLL_RETURN_IF_ERROR(Write(0, std::as_bytes(std::span(&expected, 1))));
  return fdatasync(descriptor_) == 0 ? absl::OkStatus() : WriteError(path_, errno);
}

absl::Status PackedFile::Map(uint64_t size_bytes) {
  void* const mapped = mmap(nullptr, size_bytes, PROT_READ, MAP_SHARED, descriptor_, 0);
  if (mapped == MAP_FAILED) {
    return ResourceExhausted("{}: cannot be mapped: {}; raise the limit of address space", path_,
                             ErrorText(errno));
  }
  madvise(mapped, size_bytes, MADV_HUGEPAGE);  // a wish: then the cache reads huge pages
  data_ = static_cast<const std::byte*>(mapped);
  size_bytes_ = size_bytes;
  return absl::OkStatus();
}

bool PackedFile::IsComplete(int unit) const {
  char state = 0;
  return pread(descriptor_, &state, 1, static_cast<off_t>(PackedLayout::StateOffset(unit))) == 1 &&
         state == 1;
}

bool PackedFile::Claim(int unit) { return is_writable_ && LockByte(descriptor_, unit, F_WRLCK); }

absl::Status PackedFile::Write(uint64_t offset, std::span<const std::byte> bytes) {
  CHECK(offset <= size_bytes_ && bytes.size() <= size_bytes_ - offset);
  while (!bytes.empty()) {
    const ssize_t count =
        pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return WriteError(path_, count < 0 ? errno : ENOSPC);
    offset += static_cast<uint64_t>(count);
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status PackedFile::Complete(std::span<const int> units) {
  if (units.empty()) return absl::OkStatus();
  if (fdatasync(descriptor_) != 0) return WriteError(path_, errno);
  constexpr std::byte kComplete{1};
  for (const int unit : units) {
    ATOLL_RETURN_IF_ERROR(Write(PackedLayout::StateOffset(unit), std::span(&kComplete, 1)));
    LockByte(descriptor_, unit, F_UNLCK);
  }
  return absl::OkStatus();
}

}  // namespace atl::worker
