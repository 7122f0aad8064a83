// A folder made to do harm, the door that it is brought to, and what the answer must name. Every
// case runs with 1 GiB of address space (not under ASan, which needs more) and against an alarm.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace atl::testing {

// A new folder, removed with the object.
class HostileFolder {
 public:
  HostileFolder();
  ~HostileFolder();
  HostileFolder(const HostileFolder&) = delete;
  HostileFolder& operator=(const HostileFolder&) = delete;

  std::string path(const std::string& name = "") const { return (path_ / name).string(); }
  void Write(const std::string& name, std::string_view bytes) const;
  // The embedded model's file of that name, as a link.
  void Link(const std::string& name) const;

 private:
  std::filesystem::path path_;
};

struct HostileCase {
  std::string name;
  std::function<void(const HostileFolder&)> make;
  std::function<absl::Status(const std::string& folder)> open;
  std::vector<std::string> says;
};

// Instantiated by the files of cases; hostile_case.cc has its one test.
class HostileTest : public ::testing::TestWithParam<HostileCase> {};

inline std::string NameOfCase(const ::testing::TestParamInfo<HostileCase>& info) {
  return info.param.name;
}

// `text` so often that at least `size_bytes` result.
std::string Repeated(std::string_view text, size_t size_bytes);

}  // namespace atl::testing
