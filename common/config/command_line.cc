#include "common/config/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace atl {
namespace {

// CLI11's sentence on one line.
std::string OneLine(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

}  // namespace

std::string AtollVersion() { return ATOLL_VERSION; }

absl::Status ParseCommandLine(CLI::App& app, int argc, const char* const* argv) {
  app.set_version_flag("--version", app.get_name() + " " + AtollVersion());
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Cancelled("{}", app.help());
  } catch (const CLI::CallForVersion&) {
    return Cancelled("{}\n", app.version());
  } catch (const CLI::Error& error) {
    return InvalidArgument("{} (--help lists the options)", OneLine(error.what()));
  }
  return absl::OkStatus();
}

int ExitCode(const std::string& program, const absl::Status& status) {
  if (status.ok()) return 0;
  if (status.code() == absl::StatusCode::kCancelled) {
    std::fputs(MessageOf(status).c_str(), stdout);
    return 0;
  }
  std::fprintf(stderr, "%s: %s\n", program.c_str(), MessageOf(status).c_str());
  return 1;
}

}  // namespace atl
