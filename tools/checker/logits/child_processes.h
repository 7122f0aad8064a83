// Processes that this one starts and never leaves behind.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"

namespace atl::tools {

// The kernel kills them when the thread that started them ends, so start them on the main one. They
// read nothing, and what they print goes to standard error. **Threads**: one.
class ChildProcesses {
 public:
  // `count` of the program at `path`. kNotFound: it is not there; kUnavailable: no more processes.
  static absl::StatusOr<std::unique_ptr<ChildProcesses>> Start(const std::string& path,
                                                               const std::vector<std::string>& args,
                                                               int count);
  // Kills those that still run.
  ~ChildProcesses();

  // kUnavailable: one has ended; says how.
  absl::Status CheckAllRun();
  // Waits up to `limit` for all to end by themselves, then kills. False: one was killed, or ended
  // with another status than 0.
  bool WaitForEnd(absl::Duration limit);

 private:
  struct Child {
    pid_t pid = 0;
    bool runs = true;
    int status = 0;  // as of wait
  };
  ChildProcesses() = default;
  void Reap(Child& child, int options);

  std::vector<Child> children_;
};

}  // namespace atl::tools
