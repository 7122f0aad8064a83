#include "tests/system/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "common/base/check.h"

namespace atl::testing {
namespace {

using Clock = std::chrono::steady_clock;

bool IsReadable(int descriptor, Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd entry = {.fd = descriptor, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, left > 0 ? static_cast<int>(left) : 0) > 0;
}

}  // namespace

std::unique_ptr<Process> Process::Start(const std::string& path,
                                        const std::vector<std::string>& args) {
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  std::array<int, 2> ends{};
  CHECK(pipe2(ends.data(), O_CLOEXEC) == 0);
  const int log = memfd_create("log", MFD_CLOEXEC);
  CHECK(log >= 0, "no memory for the log of {}", path);
  const pid_t pid = fork();
  CHECK(pid >= 0, "{} cannot be started", path);
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ends[1], STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execv(path.c_str(), argv.data());
    _exit(127);
  }
  close(ends[1]);
  std::unique_ptr<Process> process(new Process);
  process->pid_ = pid;
  process->pid_descriptor_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  CHECK(process->pid_descriptor_ >= 0, "no descriptor of process {}", pid);
  process->output_ = ends[0];
  process->log_ = log;
  return process;
}

Process::~Process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(pid_descriptor_);
  close(output_);
  close(log_);
}

std::optional<std::string> Process::NextLine(Clock::time_point deadline) {
  while (true) {
    const size_t end = read_.find('\n');
    if (end != std::string::npos) {
      std::string line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4096> bytes{};
    if (!IsReadable(output_, deadline)) return std::nullopt;
    const ssize_t size = read(output_, bytes.data(), bytes.size());
    if (size <= 0) return std::nullopt;
    read_.append(bytes.data(), static_cast<size_t>(size));
  }
}

std::string Process::ReadLine(const std::string& prefix) {
  const Clock::time_point deadline = Clock::now() + kPatience;
  while (const std::optional<std::string> line = NextLine(deadline)) {
    if (line->starts_with(prefix)) return line->substr(prefix.size());
  }
  return "";
}

void Process::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

std::optional<int> Process::Wait(std::chrono::milliseconds limit) {
  if (!IsReadable(pid_descriptor_, Clock::now() + limit)) return std::nullopt;
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string Process::Log() const {
  std::string log;
  std::array<char, 4096> bytes{};
  ssize_t size = 0;
  while ((size = pread(log_, bytes.data(), bytes.size(), static_cast<off_t>(log.size()))) > 0) {
    log.append(bytes.data(), static_cast<size_t>(size));
  }
  return log;
}

}  // namespace atl::testing
