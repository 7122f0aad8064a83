#include "tools/random_checkpoint/flags.h"

#include <CLI/CLI.hpp>

#include "common/base/status_macros.h"
#include "common/concurrency/machine_limits.h"
#include "common/config/choice_flag.h"
#include "common/config/command_line.h"
#include "common/config/file.h"
#include "common/config/model_config.h"
#include "common/step/limits.h"

namespace atl::tools {
namespace {

constexpr const char* kDescription =
    "atoll-random-checkpoint: writes a folder that looks like a release of Qwen3.6-35B-A3B, with\n"
    "its real sizes and random weights.";
constexpr const char* kFooter =
    "4 layers take 8.9 GB in bfloat16. Run it from the root of the repository, or give --data.";

constexpr int kThreadsMax = 1024;

}  // namespace

absl::StatusOr<RandomCheckpointOptions> ParseRandomCheckpointFlags(int argc,
                                                                   const char* const* argv) {
  RandomCheckpointOptions options = {.shard_bytes_max = 4'000'000'000, .data = "tests/data"};
  int num_layers = 4, num_threads = 0;
  bool with_mtp = false;
  std::string config_file;
  CLI::App app(kDescription, "atoll-random-checkpoint");
  app.add_option("FOLDER", options.folder, "Where to write; a new folder or an empty one")
      ->required();
  auto* layers = app.add_option("--layers", num_layers, "Layers; of the published model: 40")
                     ->capture_default_str()
                     ->check(CLI::Range(1, kLayersMax));
  app.add_option("--config", config_file, "Another config.json instead of that of Qwen3.6")
      ->excludes(layers);
  AddChoice<ReleaseType>(
      &app, "--dtype",
      {{"bfloat16", ReleaseType::kBf16},
       {"float32", ReleaseType::kF32},
       {"fp8", ReleaseType::kFp8}},
      "What weights are written as; fp8: experts one by one, in blocks of 128 x 128",
      &options.type);
  app.add_flag("--mtp", with_mtp, "Also the layer that predicts the token after the next");
  app.add_option("--seed", options.seed, "Of the weights")->capture_default_str();
  app.add_option("--shard-size", options.shard_bytes_max, "Bytes of a file at most")
      ->capture_default_str()
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 50));
  app.add_option("--threads", num_threads,
                 "Threads; 0: the CPUs that this process may use; no byte depends on it")
      ->capture_default_str()
      ->check(CLI::Range(0, kThreadsMax));
  app.add_option("--data", options.data, "The folder tests/data of the repository")
      ->capture_default_str();
  app.footer(kFooter);
  ATOLL_RETURN_IF_ERROR(ParseCommandLine(app, argc, argv));
  if (with_mtp) options.mtp = MtpLayer::kWritten;
  options.num_threads = num_threads == 0 ? CpusAllowed() : num_threads;
  if (config_file.empty()) {
    options.config = PublishedConfig(num_layers);
  } else {
    ATOLL_ASSIGN_OR_RETURN(options.config, ReadTextFile(config_file, kConfigBytesMax));
  }
  return options;
}

}  // namespace atl::tools
