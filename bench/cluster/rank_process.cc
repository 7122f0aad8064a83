#include "bench/cluster/rank_process.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "common/base/check.h"

namespace atl::bench {
namespace {

constexpr uint32_t kTextBytesMax = 1 << 20;

struct Child {
  pid_t pid = 0;
  int fd = -1;  // its answer comes here
};

Child Fork(const std::function<std::string()>& body) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    close(ends[0]);
    Line(ends[1]).Send(body());
    std::exit(0);
  }
  close(ends[1]);
  return {pid, ends[0]};
}

absl::StatusOr<std::string> Answer(const Child& child) {
  char first = 0;
  const bool answers = recv(child.fd, &first, 1, MSG_PEEK) == 1;
  std::string text = answers ? Line(child.fd).Receive() : "";
  close(child.fd);
  int status = 0;
  CHECK(waitpid(child.pid, &status, 0) == child.pid);
  if (status != 0) return Internal("a process of this bench ended with status {}", status);
  return text;
}

}  // namespace

void Line::Send(const std::string& text) const {
  const uint32_t size = static_cast<uint32_t>(text.size());
  CHECK(send(fd_, &size, sizeof size, MSG_NOSIGNAL) == sizeof size);
  CHECK(send(fd_, text.data(), size, MSG_NOSIGNAL) == static_cast<ssize_t>(size));
}

std::string Line::Receive() const {
  uint32_t size = 0;
  CHECK(recv(fd_, &size, sizeof size, MSG_WAITALL) == sizeof size && size <= kTextBytesMax);
  std::string text(size, '\0');
  CHECK(recv(fd_, text.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size));
  return text;
}

void Line::Meet() const {
  Send("here");  // a read of nothing would wait for something
  Receive();
}

absl::StatusOr<std::vector<std::string>> RunTwoRanks(
    const std::function<std::string(int rank, const Line& line)>& body) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  std::vector<Child> children;
  for (int rank = 0; rank < 2; ++rank) {
    children.push_back(Fork([&] {
      close(ends[1 - rank]);
      return body(rank, Line(ends[rank]));
    }));
  }
  close(ends[0]);
  close(ends[1]);
  std::vector<std::string> answers;
  absl::Status failed;
  for (const Child& child : children) {
    absl::StatusOr<std::string> answer = Answer(child);
    if (answer.ok()) {
      answers.push_back(*std::move(answer));
    } else {
      failed = answer.status();
    }
  }
  if (!failed.ok()) return failed;
  return answers;
}

absl::StatusOr<std::string> RunAlone(const std::function<std::string()>& body) {
  return Answer(Fork(body));
}

}  // namespace atl::bench
