// The wall clock may be set while a program runs, so nothing that waits or measures reads it: only
// the files below name it, for times that people read.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/tree.h"

namespace atl::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::array<std::string_view, 5> kReaders = {
    "coordinator/generation/access_log.cc",  // when a request came
    "coordinator/generation/access_log.h",   // …
    "coordinator/api/router.cc",             // …
    "coordinator/http/connection.cc",        // Date
    "coordinator/prompt/served_model.cc",    // created
};
constexpr std::array<std::string_view, 5> kNames = {"absl::Now", "system_clock", "CLOCK_REALTIME",
                                                    "gettimeofday(", "time("};

bool IsPartOfName(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// A word of its own that is no member of something.
bool NamesIt(std::string_view line, std::string_view name) {
  for (size_t at = line.find(name); at != line.npos; at = line.find(name, at + 1)) {
    const std::string_view before = line.substr(0, at);
    if (before.empty()) return true;
    if (!IsPartOfName(before.back()) && !before.ends_with('.') && !before.ends_with("->")) {
      return true;
    }
  }
  return false;
}

std::vector<std::string> CheckWallClock(const Tree& tree) {
  std::vector<std::string> violations;
  for (const TextFile& file : tree.files) {
    const bool is_free = IsBelow(file.path, "tests") || IsBelow(file.path, "bench") ||
                         std::find(kReaders.begin(), kReaders.end(), file.path) != kReaders.end();
    if (!IsCpp(file.path) || is_free) continue;
    int line_number = 0;
    for (const std::string_view line : SplitLines(file.text)) {
      ++line_number;
      const std::string_view code = line.substr(0, line.find("//"));
      for (const std::string_view name : kNames) {
        if (!NamesIt(code, name)) continue;
        violations.push_back(
            fmt::format("{}:{}: {} is wall time; deadlines and times of life take a Clock "
                        "(common/concurrency/clock.h)",
                        file.path, line_number, name));
      }
    }
  }
  return violations;
}

TEST(WallClockTest, OnlyWhatPeopleReadIsWallTime) {
  EXPECT_THAT(CheckWallClock(ReadTree(std::filesystem::current_path())), IsEmpty());
}

TEST(WallClockTest, EachReaderIsThere) {
  const Tree tree = ReadTree(std::filesystem::current_path());
  for (const std::string_view path : kReaders) {
    const bool found = std::any_of(tree.files.begin(), tree.files.end(),
                                   [&](const TextFile& file) { return file.path == path; });
    EXPECT_TRUE(found) << path;
  }
}

TEST(WallClockTest, TellsAReaderThatIsNotListed) {
  const Tree tree{.root = {},
                  .files = {{"common/a.cc", "// absl::Now\nauto a = absl::Now();\n"},
                            {"common/b.h", "std::chrono::system_clock::time_point b;\n"},
                            {"common/c.cc", "runtime(x); c.time(); c->time(); int time = 0;\n"},
                            {"coordinator/d.cc", "return std::time(nullptr);\n"},
                            {"coordinator/e.cc", "time(&now); clock_gettime(CLOCK_REALTIME, t);\n"},
                            {"coordinator/generation/access_log.cc", "absl::Now();\n"},
                            {"docs/f.md", "absl::Now\n"},
                            {"tests/g.cc", "absl::Now();\n"}}};
  std::vector<std::string> where;
  for (const std::string& violation : CheckWallClock(tree)) {
    where.push_back(violation.substr(0, violation.find(" is")));
  }
  EXPECT_THAT(where, ElementsAre("common/a.cc:2: absl::Now", "common/b.h:1: system_clock",
                                 "coordinator/d.cc:1: time(", "coordinator/e.cc:1: CLOCK_REALTIME",
                                 "coordinator/e.cc:1: time("));
}

}  // namespace
}  // namespace atl::testing
