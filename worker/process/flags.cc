#include "worker/process/flags.h"

#include <CLI/CLI.hpp>

#include "common/base/status_macros.h"
#include "common/config/choice_flag.h"
#include "common/config/command_line.h"

namespace atl::worker {
namespace {

constexpr const char* kDescription =
    "atoll-worker: runs a share of the experts and the sequences that are at home here.\n"
    "It dials the coordinator, redials for ever, and listens on nothing but UCX.";

void AddFlags(CLI::App* app, WorkerFlags* flags) {
  app->add_option("--model", flags->model,
                  "Folder of the checkpoint, or scripted:FILE, a script instead of weights; every "
                  "worker of a cluster has the same")
      ->required();
  app->add_option("--tokenizer", flags->tokenizer, "Folder of the tokenizer of a scripted model")
      ->capture_default_str();
  app->add_option("--coordinator", flags->coordinator,
                  "HOST:PORT that the coordinator takes workers at (its --worker-listen)")
      ->capture_default_str();
  app->add_option("--threads", flags->threads,
                  "Compute threads; 0: the CPUs that this process may use")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  app->add_option("--dtype", flags->dtype,
                  "What keys, values, convolution columns and exchanged rows are kept and sent as: "
                  "auto (the checkpoint's), "
                  "bfloat16 (bf16), float32 (fp32)")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "bfloat16", "bf16", "float32", "fp32"}));
  app->add_option(
         "--kv-cache-memory-bytes", flags->kv_cache_memory_bytes,
         "Memory for KV blocks and DeltaNet states; 0: 30 % of what the control group allows "
         "beside the weights")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 50));
  app->add_option("--max-num-seqs", flags->max_num_seqs,
                  "Sequences at home here at once, memory allowing")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  app->add_option("--late-rows", flags->late_rows, "Rows that a DeltaNet state may lag behind")
      ->capture_default_str()
      ->check(CLI::Range(1, 16));
  app->add_option("--spin-us", flags->spin_us,
                  "How long waits poll before they sleep, in microseconds")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
  app->add_option(
         "--pin", flags->pin,
         "Whether each compute thread stays on a CPU: auto, where the affinity mask has just "
         "as many; off, never")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "off"}));
  app->add_option(
         "--packed-weights", flags->packed_weights,
         "Where weights are kept packed, which makes steps faster: file, which the workers "
         "of a machine share and a later start finds again; memory; off; auto: a file "
         "where it leaves as much room as it takes, else memory where both copies fit")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "file", "memory", "off"}));
  app->add_option("--packed-weights-dir", flags->packed_weights_dir,
                  "Folder of that file; default: the checkpoint's, else ~/.cache/atoll");
  AddLogLevel(app, &flags->log_level);
  app->footer(
      "ATOLL_KERNELS=ref|avx2|avx512 forces the ISA of the kernels; UCX_TLS chooses UCX's "
      "transports.");
}

}  // namespace

absl::StatusOr<WorkerFlags> ParseWorkerFlags(int argc, const char* const* argv) {
  WorkerFlags flags;
  CLI::App app(kDescription, "atoll-worker");
  AddFlags(&app, &flags);
  ATOLL_RETURN_IF_ERROR(ParseCommandLine(app, argc, argv));
  return flags;
}

}  // namespace atl::worker
