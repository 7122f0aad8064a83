// Time of one exchange (AllToAll and Wait) between two ranks that send each other messages of the
// given sizes, header included: threads over inproc, processes over UCX. Prints "bytes min p50
// p99", the last three in microseconds, as raw_ucx.cc does; `compare` puts the two beside each
// other.
//
//   UCX_TLS=posix,cma,self atoll-transport-bench ucx 4208 66128
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "worker/transport/inproc/inproc_group.h"
#include "worker/transport/ucx/ucx_transport.h"

namespace atl::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Epoch kEpoch = {.term = 1, .number = 1};
constexpr int kWarmUps = 100;

int Rounds(size_t size_bytes) { return size_bytes < 100'000 ? 5000 : 1000; }

// Runs all rounds as one of two ranks; prints a line for each size as rank 0.
void RunRank(worker::Transport& transport, std::span<const size_t> sizes) {
  const int peer = 1 - transport.rank();
  uint64_t step = 0;
  for (const size_t size_bytes : sizes) {
    std::vector<std::byte> out(size_bytes, std::byte{1});
    std::vector<std::byte> in(out.size());
    const worker::MessageBuffer send = {peer, out.data(), out.size()};
    const worker::MessageBuffer receive = {peer, in.data(), in.size()};
    std::vector<double> micros;
    for (int round = -kWarmUps; round < Rounds(size_bytes); ++round) {
      const auto begin = Clock::now();
      auto transfer = transport.AllToAll(
          {.key = {.epoch = kEpoch, .step = ++step}, .send = {&send, 1}, .receive = {&receive, 1}});
      CHECK_OK(transfer.status());
      CHECK_OK((*transfer)->Wait());
      const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
      if (round >= 0) micros.push_back(took.count());
    }
    std::sort(micros.begin(), micros.end());
    if (transport.rank() != 0) continue;
    std::printf("%zu %.2f %.2f %.2f\n", size_bytes, micros.front(), micros[micros.size() / 2],
                micros[micros.size() * 99 / 100]);
    std::fflush(stdout);
  }
}

void RunInproc(std::span<const size_t> sizes) {
  auto transports = worker::InprocGroup::Create({.world_size = 2, .epoch = kEpoch});
  CHECK_OK(transports.status());
  std::thread other([&] { RunRank(*(*transports)[1], sizes); });
  RunRank(*(*transports)[0], sizes);
  other.join();
}

void SendText(int fd, const std::string& text) {
  const uint32_t size = static_cast<uint32_t>(text.size());
  CHECK(send(fd, &size, sizeof size, 0) == sizeof size);
  CHECK(send(fd, text.data(), size, 0) == static_cast<ssize_t>(size));
}

std::string ReceiveText(int fd) {
  uint32_t size = 0;
  CHECK(recv(fd, &size, sizeof size, MSG_WAITALL) == sizeof size);
  std::string text(size, '\0');
  CHECK(recv(fd, text.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size));
  return text;
}

void RunUcxRank(int rank, int fd, std::span<const size_t> sizes) {
  auto transport = worker::UcxTransport::Create({});
  CHECK_OK(transport.status());
  SendText(fd, (*transport)->address());
  std::vector<std::string> addresses(2, (*transport)->address());
  addresses[1 - rank] = ReceiveText(fd);
  CHECK_OK((*transport)->Join(kEpoch, rank, addresses));
  RunRank(**transport, sizes);
  // Neither leaves before the other has all.
  SendText(fd, "done");
  ReceiveText(fd);
}

// Two processes; the parent itself never touches UCX.
void RunUcx(std::span<const size_t> sizes) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  pid_t pids[2];
  for (int rank = 0; rank < 2; ++rank) {
    pids[rank] = fork();
    CHECK(pids[rank] >= 0);
    if (pids[rank] == 0) {
      close(ends[1 - rank]);
      RunUcxRank(rank, ends[rank], sizes);
      std::exit(0);
    }
  }
  close(ends[0]);
  close(ends[1]);
  for (const pid_t pid : pids) {
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "a rank failed");
  }
}

}  // namespace
}  // namespace atl::bench

int main(int num_arguments, char** arguments) {
  const std::string_view transport = num_arguments > 1 ? arguments[1] : "";
  std::vector<size_t> sizes;
  for (int i = 2; i < num_arguments; ++i) {
    sizes.push_back(std::max<size_t>(std::strtoull(arguments[i], nullptr, 10),
                                     atl::worker::kMessageHeaderBytes));
  }
  if ((transport != "ucx" && transport != "inproc") || sizes.empty()) {
    std::fprintf(stderr, "usage: %s ucx|inproc BYTES...\n", arguments[0]);
    return 2;
  }
  transport == "ucx" ? atl::bench::RunUcx(sizes) : atl::bench::RunInproc(sizes);
  return 0;
}
