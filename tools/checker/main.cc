// atoll-check: asks one room from outside.
#include <csignal>
#include <iostream>

#include "common/base/status_macros.h"
#include "common/config/command_line.h"
#include "tools/checker/kinds/kind.h"
#include "tools/checker/question/flags.h"
#include "tools/checker/run.h"

namespace {

absl::Status Check(const atl::tools::CheckFlags& flags) {
  ATOLL_ASSIGN_OR_RETURN(const auto kind, atl::tools::MakeKind(flags));
  return atl::tools::AnswerLines(*kind, std::cin, std::cout);
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  std::signal(SIGPIPE, SIG_IGN);
  const auto flags = atl::tools::ParseCheckFlags(argc, argv);
  return atl::ExitCode("atoll-check", flags.ok() ? Check(*flags) : flags.status());
}
