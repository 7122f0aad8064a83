#include "tests/support/recorded_lines.h"

#include <zlib.h>

#include <array>
#include <sstream>

#include "common/base/check.h"

namespace atl::testing {

std::vector<std::string> ReadRecordedLines(const std::string& path) {
  const gzFile file = gzopen(path.c_str(), "rb");  // reads plain files as they are
  CHECK(file != nullptr, "{} cannot be read; tests run from the repository root", path);
  std::string bytes;
  std::array<char, 1 << 16> part;
  int size = 0;
  while ((size = gzread(file, part.data(), part.size())) > 0) {
    bytes.append(part.data(), static_cast<size_t>(size));
  }
  CHECK(gzclose(file) == Z_OK && size == 0, "{} is no whole gzip file", path);
  std::istringstream in(bytes);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  CHECK(!lines.empty(), "{} is empty", path);
  return lines;
}

}  // namespace atl::testing
