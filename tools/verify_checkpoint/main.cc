// atoll-verify-checkpoint: for whoever holds the real weights.
#include <iostream>

#include "common/base/status_macros.h"
#include "common/config/command_line.h"
#include "tools/verify_checkpoint/flags.h"
#include "tools/verify_checkpoint/verify.h"

namespace {

constexpr int kAllGood = 0, kFound = 1, kUnreadable = 2;

absl::StatusOr<int> Verify(int argc, const char* const* argv) {
  ATOLL_ASSIGN_OR_RETURN(const atl::tools::VerifyOptions options,
                         atl::tools::ParseVerifyFlags(argc, argv));
  atl::tools::Report report(std::cout);
  const absl::Status status = atl::tools::VerifyCheckpoint(options, report);
  report.EndSection();
  ATOLL_RETURN_IF_ERROR(status);
  const int found = report.num_findings();
  std::cout << (found == 0 ? "all good" : fmt::format("{} findings", found)) << '\n';
  return found == 0 ? kAllGood : kFound;
}

}  // namespace

int main(int argc, char** argv) {
  const absl::StatusOr<int> code = Verify(argc, argv);
  if (code.ok()) return *code;
  return atl::ExitCode("atoll-verify-checkpoint", code.status()) == 0 ? kAllGood : kUnreadable;
}
