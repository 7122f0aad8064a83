// Processes that are the ranks of a small cluster, forked from one that has no threads yet: what
// they say to each other before UCX connects them, and what each answers in the end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace atl::bench {

// One end of a stream between two processes. CHECKs: a lost peer ends a bench.
class Line {
 public:
  explicit Line(int fd) : fd_(fd) {}
  void Send(const std::string& text) const;
  std::string Receive() const;
  // Returns once both ends have called it.
  void Meet() const;

 private:
  int fd_;
};

// Runs body(rank, line) for ranks 0 and 1, each in a process of its own; `line` joins the two. What
// body returns comes back, by rank. kInternal: a process died, or wrote nothing.
absl::StatusOr<std::vector<std::string>> RunTwoRanks(
    const std::function<std::string(int rank, const Line& line)>& body);

// The same for one process that has no peer.
absl::StatusOr<std::string> RunAlone(const std::function<std::string()>& body);

}  // namespace atl::bench
