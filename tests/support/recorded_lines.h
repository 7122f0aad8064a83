// Recorded answers: files of lines, plain or through gzip.
#pragma once

#include <string>
#include <vector>

namespace atl::testing {

// A file that cannot be read, is cut short or holds no line ends the test.
std::vector<std::string> ReadRecordedLines(const std::string& path);

}  // namespace atl::testing
