// The command line of every program: what --help, --version and a mistake do is the same for all.
#pragma once

#include <string>

#include "common/base/status.h"

namespace CLI {
class App;
}

namespace atl {

// Of the build.
std::string AtollVersion();

// Adds --version to `app` and reads the arguments into what was added before. kCancelled: --help or
// --version, the message is what they print; kInvalidArgument: one sentence about the flag at
// fault. `--help-markdown` alone is a --help as docs/reference/flags.md has it.
absl::Status ParseCommandLine(CLI::App& app, int argc, const char* const* argv);

// What main returns for `status`: 0 for OK, 0 for kCancelled of ParseCommandLine with its message
// on stdout, otherwise 1 with "PROGRAM: message" on stderr.
int ExitCode(const std::string& program, const absl::Status& status);

}  // namespace atl
