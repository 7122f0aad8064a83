#include "common/config/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "common/base/status_macros.h"

namespace atl {
namespace {

std::string ErrorText(int error) { return std::generic_category().message(error); }

absl::Status Shrank(const std::string& path) {
  return DataLoss("{}: its size changed while it was read; start again when nobody writes to it",
                  path);
}

}  // namespace

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  InputFile file;
  file.path_ = path;
  // O_NONBLOCK: a pipe without a writer would otherwise keep us waiting.
  file.descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file.descriptor_ < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      return NotFound("{}: no such file; check the folder that was named", path);
    }
    return InvalidArgument("{}: cannot be opened: {}; check the link and its permissions", path,
                           ErrorText(error));
  }
  struct stat info {};
  if (fstat(file.descriptor_, &info) != 0) {
    return InvalidArgument("{}: cannot be read: {}; check the disk", path, ErrorText(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return InvalidArgument("{}: not a regular file; put the checkpoint's own file there", path);
  }
  file.size_bytes_ = static_cast<uint64_t>(info.st_size);
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      size_bytes_(other.size_bytes_),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<std::string> InputFile::Read(uint64_t offset, size_t size_bytes) const {
  std::string bytes(size_bytes, '\0');
  for (size_t done = 0; done < size_bytes;) {
    const ssize_t count = pread(descriptor_, bytes.data() + done, size_bytes - done,
                                static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return InvalidArgument("{}: cannot be read: {}; check the disk", path_, ErrorText(errno));
    }
    if (count == 0) return Shrank(path_);
    done += static_cast<size_t>(count);
  }
  return bytes;
}

absl::Status InputFile::CheckSize() const {
  struct stat info {};
  if (fstat(descriptor_, &info) != 0 || static_cast<uint64_t>(info.st_size) != size_bytes_) {
    return Shrank(path_);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t size_bytes_max) {
  ATOLL_ASSIGN_OR_RETURN(const InputFile file, InputFile::Open(path));
  if (file.size_bytes() > size_bytes_max) {
    return InvalidArgument(
        "{}: {} bytes, more than the {} that such a file may have; remove what "
        "does not belong there",
        path, file.size_bytes(), size_bytes_max);
  }
  return file.Read(0, file.size_bytes());
}

}  // namespace atl
