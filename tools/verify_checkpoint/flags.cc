#include "tools/verify_checkpoint/flags.h"

#include <CLI/CLI.hpp>

#include "common/base/status_macros.h"
#include "common/concurrency/machine_limits.h"
#include "common/config/command_line.h"

namespace atl::tools {
namespace {

constexpr const char* kDescription =
    "atoll-verify-checkpoint: says on a page what is in the folder of a checkpoint, whether Atoll "
    "can\nserve it, and what its weights answer.";
constexpr const char* kFooter =
    "Ends with 0 where all is good, 1 where something was found, 2 where the folder cannot be "
    "read.\n"
    "Run it from the root of the repository, or give --data.";

constexpr int kThreadsMax = 1024;

}  // namespace

absl::StatusOr<VerifyOptions> ParseVerifyFlags(int argc, const char* const* argv) {
  VerifyOptions options = {.data = "tests/data"};
  int num_threads = 0;
  bool is_quick = false;
  CLI::App app(kDescription, "atoll-verify-checkpoint");
  app.add_option("FOLDER", options.folder,
                 "With config.json, tokenizer.json, chat_template.jinja and safetensors")
      ->required();
  app.add_flag("--quick", is_quick, "Do not look for NaN and infinities in every weight");
  app.add_option("--threads", num_threads, "Threads; 0: the CPUs that this process may use")
      ->capture_default_str()
      ->check(CLI::Range(0, kThreadsMax));
  app.add_option("--data", options.data, "The folder tests/data of the repository")
      ->capture_default_str();
  app.footer(kFooter);
  ATOLL_RETURN_IF_ERROR(ParseCommandLine(app, argc, argv));
  if (is_quick) options.depth = VerifyDepth::kQuick;
  options.num_threads = num_threads == 0 ? CpusAllowed() : num_threads;
  return options;
}

}  // namespace atl::tools
