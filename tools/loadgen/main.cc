// atoll-bench: a server under load, as its clients see it.
#include <csignal>
#include <cstdio>
#include <fstream>

#include "common/base/status_macros.h"
#include "common/config/command_line.h"
#include "tools/loadgen/plan/load_options.h"
#include "tools/loadgen/plan/load_plan.h"
#include "tools/loadgen/run/load_run.h"
#include "tools/loadgen/run/report.h"

namespace {

constexpr int kUsage = 2;

absl::Status Write(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  if (!file) return atl::Unavailable("--json {}: the file cannot be written", path);
  return absl::OkStatus();
}

absl::Status Serve(const atl::tools::LoadOptions& options, atl::tools::LoadPlan plan) {
  ATOLL_ASSIGN_OR_RETURN(const atl::tools::LoadResult result, atl::tools::RunLoad(std::move(plan)));
  const atl::tools::LoadReport report = atl::tools::MakeReport(options, result);
  std::fputs(atl::tools::TableOf(report).c_str(), stdout);
  if (!options.json_file.empty()) {
    ATOLL_RETURN_IF_ERROR(Write(options.json_file, atl::tools::JsonOf(report)));
  }
  return atl::tools::Verdict(report);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto options = atl::tools::ParseBenchFlags(argc, argv);
  if (!options.ok()) {
    return atl::ExitCode("atoll-bench", options.status()) == 0 ? 0 : kUsage;
  }
  auto plan = atl::tools::LoadPlan::Make(*options);
  if (!plan.ok()) {
    atl::ExitCode("atoll-bench", plan.status());
    return kUsage;
  }
  return atl::ExitCode("atoll-bench", Serve(*options, std::move(*plan)));
}
