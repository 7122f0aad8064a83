#include "tests/tidy/subjects.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <regex>
#include <string_view>

#include "tests/tidy/tree.h"

namespace atl::testing {
namespace {

constexpr size_t kColumnsMax = 72;

size_t ColumnsOf(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// What git prints, "" where it fails.
std::string Git(const std::filesystem::path& root, const std::string& arguments) {
  const std::string command = fmt::format("git -C '{}' {} 2> /dev/null", root.string(), arguments);
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string output;
  char bytes[4096];
  for (size_t count; (count = fread(bytes, 1, sizeof bytes, pipe)) > 0;)
    output.append(bytes, count);
  return pclose(pipe) == 0 ? output : "";
}

}  // namespace

Violations CheckSubjects(const std::vector<std::string>& subjects) {
  // A folder or file; one in the root may be in capitals.
  static const std::string kRoom = "([a-z.][A-Za-z0-9_./-]*|[A-Z]{2,}[A-Za-z.]*)";
  static const std::regex kForm(fmt::format("{0}(, {0})*: [^ ].*", kRoom));
  Violations violations;
  for (const std::string& subject : subjects) {
    if (ColumnsOf(subject) > kColumnsMax) {
      violations.push_back(
          fmt::format("{}: {} columns; {} are the most", subject, ColumnsOf(subject), kColumnsMax));
    }
    if (!std::regex_match(subject, kForm)) {
      violations.push_back(fmt::format("{}: is not of the form `room: summary`", subject));
    }
  }
  return violations;
}

std::vector<std::string> SubjectsAfter(const std::filesystem::path& root,
                                       const std::string& first) {
  if (Git(root, "rev-parse --is-shallow-repository") != "false\n") return {};
  std::vector<std::string> subjects;
  const std::string log = Git(root, fmt::format("log --no-merges --format=%s {}..HEAD", first));
  for (std::string_view line : SplitLines(log)) subjects.emplace_back(line);
  return subjects;
}

}  // namespace atl::testing
