// Ranks as processes: this binary starts itself again.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/transport/ucx/ucx_cluster.h"

extern char** environ;

namespace atl::worker {
namespace {

constexpr std::string_view kRankFlag = "--as-rank";
constexpr int kRankFd = 3;
constexpr Epoch kEpoch = {.term = 1, .number = 1};
constexpr uint64_t kSteps = 5;

void WriteText(int fd, const std::string& text) {
  const auto size = static_cast<uint32_t>(text.size());
  CHECK(write(fd, &size, sizeof size) == sizeof size);
  CHECK(write(fd, text.data(), size) == static_cast<ssize_t>(size));
}

// Empty when the other end was closed.
std::string ReadText(int fd) {
  uint32_t size = 0;
  if (recv(fd, &size, sizeof size, MSG_WAITALL) != sizeof size) return {};
  std::string text(size, '\0');
  CHECK(recv(fd, text.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size));
  return text;
}

absl::Status SwapSteps(Transport& transport) {
  for (uint64_t step = 1; step <= kSteps; ++step) {
    for (const size_t payload_bytes : {size_t{0}, size_t{5000}, size_t{1} << 20}) {
      const auto layer = static_cast<uint16_t>(payload_bytes % 251);
      ATOLL_RETURN_IF_ERROR(
          SwapWithAll(transport, {.epoch = kEpoch, .step = step, .layer = layer}, payload_bytes));
    }
  }
  return absl::OkStatus();
}

// A rank's life: says its address, hears its rank and all addresses, swaps, says how it went, and
// stays until the other end closes.
int RankMain() {
  auto transport = UcxTransport::Create({});
  CHECK_OK(transport.status());
  WriteText(kRankFd, (*transport)->address());
  const int rank = std::stoi(ReadText(kRankFd));
  std::vector<std::string> addresses(std::stoi(ReadText(kRankFd)));
  for (std::string& address : addresses) address = ReadText(kRankFd);
  absl::Status status = (*transport)->Join(kEpoch, rank, addresses);
  if (status.ok()) status = SwapSteps(**transport);
  WriteText(kRankFd, status.ToString());
  ReadText(kRankFd);
  return 0;
}

class RankProcess {
 public:
  RankProcess() {
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    fd_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    // Onto itself it would stay close-on-exec.
    const int child_end = ends[1] == kRankFd ? fcntl(ends[1], F_DUPFD_CLOEXEC, 10) : ends[1];
    posix_spawn_file_actions_adddup2(&actions, child_end, kRankFd);
    std::string flag(kRankFlag);
    std::string name("rank");
    char* argv[] = {name.data(), flag.data(), nullptr};
    CHECK(posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (child_end != ends[1]) close(child_end);
  }
  ~RankProcess() {
    if (fd_ >= 0) close(fd_);
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }
  RankProcess(const RankProcess&) = delete;
  RankProcess& operator=(const RankProcess&) = delete;

  std::string Hear() { return ReadText(fd_); }
  void Tell(const std::string& text) { WriteText(fd_, text); }
  // Dead and reaped: UCX takes a zombie for alive.
  void Kill() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  // The exit status of one that is told to end.
  int End() {
    close(fd_);
    fd_ = -1;
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return status;
  }

 private:
  int fd_ = -1;
  pid_t pid_ = 0;
};

// This process is rank 0; the others are joined to it and have swapped their steps.
absl::Status JoinWith(UcxTransport& mine, std::vector<RankProcess>& others) {
  std::vector<std::string> addresses = {mine.address()};
  for (RankProcess& other : others) addresses.push_back(other.Hear());
  for (size_t i = 0; i < others.size(); ++i) {
    others[i].Tell(std::to_string(i + 1));
    others[i].Tell(std::to_string(addresses.size()));
    for (const std::string& address : addresses) others[i].Tell(address);
  }
  ATOLL_RETURN_IF_ERROR(mine.Join(kEpoch, 0, addresses));
  return SwapSteps(mine);
}

TEST(UcxProcessTest, ThreeProcessesSwapAndLeave) {
  std::vector<RankProcess> others(2);
  ASSERT_OK_AND_ASSIGN(auto transport, UcxTransport::Create({}));
  ASSERT_OK(JoinWith(*transport, others));
  for (RankProcess& other : others) EXPECT_EQ(other.Hear(), "OK");
  for (RankProcess& other : others) EXPECT_EQ(other.End(), 0);
}

TEST(UcxProcessTest, AKilledProcessIsUnavailable) {
  std::vector<RankProcess> others(2);
  ASSERT_OK_AND_ASSIGN(auto transport, UcxTransport::Create({}));
  ASSERT_OK(JoinWith(*transport, others));
  for (RankProcess& other : others) ASSERT_EQ(other.Hear(), "OK");
  std::vector<std::byte> buffer(1000);
  const MessageBuffer receive = {2, buffer.data(), buffer.size()};
  ASSERT_OK_AND_ASSIGN(
      auto transfer, transport->AllToAll(
                         {.key = {.epoch = kEpoch, .step = kSteps + 1}, .receive = {&receive, 1}}));
  const auto begin = std::chrono::steady_clock::now();
  others[1].Kill();
  EXPECT_STATUS(transfer->Wait(), absl::StatusCode::kUnavailable, "rank 2");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

}  // namespace
}  // namespace atl::worker

int main(int argc, char** argv) {
  if (argc > 1 && argv[1] == atl::worker::kRankFlag) return atl::worker::RankMain();
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
