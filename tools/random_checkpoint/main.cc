// atoll-random-checkpoint: a checkpoint of real size without the real weights.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>

#include "common/base/status_macros.h"
#include "common/config/command_line.h"
#include "tools/random_checkpoint/flags.h"
#include "tools/random_checkpoint/random_checkpoint.h"
#include "tools/random_checkpoint/tensors/progress.h"

namespace {

// The most memory that this process has had.
uint64_t PeakMemoryBytes() {
  constexpr uint64_t kUnit = 1024;
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * kUnit;
}

absl::Status Write(int argc, const char* const* argv) {
  ATOLL_ASSIGN_OR_RETURN(const atl::tools::RandomCheckpointOptions options,
                         atl::tools::ParseRandomCheckpointFlags(argc, argv));
  const auto begin = std::chrono::steady_clock::now();
  ATOLL_ASSIGN_OR_RETURN(const atl::tools::RandomCheckpointSummary summary,
                         atl::tools::WriteRandomCheckpoint(options));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print("{}: {} tensors, {} bytes ({}) in {} files, {:.1f} s, {} of memory\n", options.folder,
             summary.num_tensors, summary.tensor_bytes, atl::tools::SizeText(summary.tensor_bytes),
             summary.num_shards, took.count(), atl::tools::SizeText(PeakMemoryBytes()));
  if (!summary.has_tokenizer) {
    fmt::print("no tokenizer: vocab_size has no room for the ids of Qwen3.6; copy one yourself\n");
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  return atl::ExitCode("atoll-random-checkpoint", Write(argc, argv));
}
