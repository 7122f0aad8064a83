#include "tools/checker/logits/child_processes.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "absl/time/clock.h"
#include "common/concurrency/clock.h"

namespace atl::tools {
namespace {

// In the child, between fork and exec: nothing but system calls.
[[noreturn]] void Become(const char* path, char* const* argv, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it ended before the line above
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    _exit(127);
  }
  execv(path, argv);
  _exit(127);
}

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("status {}", WEXITSTATUS(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcesses>> ChildProcesses::Start(
    const std::string& path, const std::vector<std::string>& args, int count) {
  if (access(path.c_str(), X_OK) != 0) {
    return NotFound("{}: no such program; it is built and stands beside this one", path);
  }
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  std::unique_ptr<ChildProcesses> children(new ChildProcesses);
  const pid_t parent = getpid();
  for (int i = 0; i < count; ++i) {
    const pid_t pid = fork();
    if (pid < 0) return Unavailable("{}: cannot be started: {}", path, std::strerror(errno));
    if (pid == 0) Become(path.c_str(), argv.data(), parent);
    children->children_.push_back({.pid = pid});
  }
  return children;
}

ChildProcesses::~ChildProcesses() {
  for (Child& child : children_) {
    if (!child.runs) continue;
    kill(child.pid, SIGKILL);
    Reap(child, 0);
  }
}

void ChildProcesses::Reap(Child& child, int options) {
  if (!child.runs) return;
  pid_t reaped = 0;
  do {
    reaped = waitpid(child.pid, &child.status, options);
  } while (reaped < 0 && errno == EINTR);
  child.runs = reaped == 0;
}

absl::Status ChildProcesses::CheckAllRun() {
  for (Child& child : children_) {
    Reap(child, WNOHANG);
    if (!child.runs) {
      return Unavailable("worker process {} ended with {}; standard error has what it said",
                         child.pid, HowItEnded(child.status));
    }
  }
  return absl::OkStatus();
}

bool ChildProcesses::WaitForEnd(absl::Duration limit) {
  const MonotonicTime deadline = RealClock().Now() + limit;
  const auto one_runs = [&] {
    for (Child& child : children_) Reap(child, WNOHANG);
    return std::any_of(children_.begin(), children_.end(),
                       [](const Child& child) { return child.runs; });
  };
  while (one_runs() && RealClock().Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  bool all_well = true;
  for (Child& child : children_) {
    if (child.runs) kill(child.pid, SIGKILL);
    Reap(child, 0);
    all_well = all_well && child.status == 0;
  }
  return all_well;
}

}  // namespace atl::tools
