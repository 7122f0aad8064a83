#include "tests/hostile/hostile_case.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>

#include "common/base/status.h"
#include "tests/hostile/sentence.h"

namespace atl::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kLimitsMemory = false;
constexpr unsigned kAlarmSeconds = 120;
#else
constexpr bool kLimitsMemory = true;
constexpr unsigned kAlarmSeconds = 20;
#endif

// Ends the process where a case runs away: SIGALRM is not caught.
class Alarm {
 public:
  Alarm() { alarm(kAlarmSeconds); }
  ~Alarm() { alarm(0); }
};

// Of this process: what else the machine does is not counted.
int64_t CpuMs() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// Whether the case itself names `words`, as where a template's message is the one of Jinja.
bool IsExpected(const std::vector<std::string>& says, const char* words) {
  return std::any_of(says.begin(), says.end(),
                     [&](const std::string& s) { return s.find(words) != std::string::npos; });
}

void LimitMemory() {
  constexpr rlim_t kBytesMax = rlim_t{1} << 30;
  const rlimit limit = {kBytesMax, kBytesMax};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
}

TEST_P(HostileTest, IsRefusedInOneSentence) {
  if (kLimitsMemory) LimitMemory();
  const HostileFolder folder;
  GetParam().make(folder);
  const int64_t began_ms = CpuMs();
  absl::Status status;
  {
    const Alarm alarm;
    status = GetParam().open(folder.path());
  }
  const std::string message = MessageOf(status);
  fmt::print("refused in {} ms: {}: {}\n", CpuMs() - began_ms, GetParam().name, message);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(MistakeOfSentence(message), "") << message;
  for (const std::string& words : GetParam().says) {
    EXPECT_THAT(message, ::testing::HasSubstr(words));
  }
  for (const char* leak : {"json.exception", "std::", "bad_alloc", "0x7f", "basic_string", ". "}) {
    if (IsExpected(GetParam().says, leak)) continue;
    EXPECT_THAT(message, ::testing::Not(::testing::HasSubstr(leak)));
  }
}

}  // namespace

HostileFolder::HostileFolder()
    : path_(std::filesystem::temp_directory_path() /
            ("atoll_hostile_" + std::to_string(getpid()))) {
  std::filesystem::remove_all(path_);
  std::filesystem::create_directories(path_);
}

HostileFolder::~HostileFolder() { std::filesystem::remove_all(path_); }

void HostileFolder::Write(const std::string& name, std::string_view bytes) const {
  std::ofstream(path(name), std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void HostileFolder::Link(const std::string& name) const {
  std::filesystem::create_symlink(std::filesystem::absolute("tools/nano/checkpoint") / name,
                                  path(name));
}

std::string Repeated(std::string_view text, size_t size_bytes) {
  std::string repeated;
  repeated.reserve(size_bytes + text.size());
  while (repeated.size() < size_bytes) repeated += text;
  return repeated;
}

}  // namespace atl::testing
