#include "common/config/file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace atl {

absl::StatusOr<std::string> ReadTextFile(const std::string& path, size_t size_bytes_max) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return NotFound("{}: no such file", path);
  if (!std::filesystem::is_regular_file(status))
    return InvalidArgument("{}: not a regular file", path);
  const auto size = std::filesystem::file_size(path, error);
  if (error) return NotFound("{}: {}", path, error.message());
  if (size > size_bytes_max) {
    return InvalidArgument("{}: {} bytes, more than the {} that such a file may have", path, size,
                           size_bytes_max);
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return NotFound("{}: {}", path, std::strerror(errno));
  std::string text(size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

}  // namespace atl
