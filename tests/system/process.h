// A program that a test starts, reads and ends.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace atl::testing {

// What a machine with other work to do may take for anything that ends by itself.
inline constexpr std::chrono::seconds kPatience{60};

// The kernel kills it when the thread that started it ends. Standard error is kept in memory.
// **Threads**: one.
class Process {
 public:
  // Aborts the test where the program cannot be started.
  static std::unique_ptr<Process> Start(const std::string& path,
                                        const std::vector<std::string>& args);
  ~Process();

  // What stands behind `prefix` in the first line of its standard output that begins so; empty when
  // it ends, or when kPatience passes, without one.
  std::string ReadLine(const std::string& prefix);
  void Signal(int signal);
  // Its exit status, or 128 and the signal that ended it; nothing when it still runs after `limit`.
  std::optional<int> Wait(std::chrono::milliseconds limit = kPatience);
  // All of its standard error so far: the log.
  std::string Log() const;

 private:
  Process() = default;
  std::optional<std::string> NextLine(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  int pid_descriptor_ = -1;
  int output_ = -1;
  int log_ = -1;
  std::string read_;
};

}  // namespace atl::testing
