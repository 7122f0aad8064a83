#include "coordinator/flags.h"
#include "tools/checker/question/flags.h"
#include "tools/loadgen/plan/load_options.h"
#include "tools/random_checkpoint/flags.h"
#include "tools/reference/pages.h"
#include "tools/verify_checkpoint/flags.h"
#include "worker/process/flags.h"

namespace atl::tools {
namespace {

constexpr char kHead[] = R"(# Flags

Written by `scripts/reference` from the programs' own command lines; `--help` of a program says the
same. Every program also has `--help` and `--version`. *takes* is the kind of value and what it may
be.
)";

// What a program's parser says when asked for its flags as Markdown.
template <typename Parse>
absl::Status Add(const char* program, Parse parse, std::string& page) {
  const char* const argv[] = {program, "--help-markdown"};
  const absl::Status status = parse(2, argv).status();
  if (status.code() != absl::StatusCode::kCancelled) return status;
  page += "\n" + MessageOf(status);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FlagsPage() {
  std::string page = kHead;
  for (const absl::Status& status :
       {Add("atoll-coordinator", coordinator::ParseFlags, page),
        Add("atoll-worker", worker::ParseWorkerFlags, page),
        Add("atoll-bench", ParseBenchFlags, page), Add("atoll-check", ParseCheckFlags, page),
        Add("atoll-random-checkpoint", ParseRandomCheckpointFlags, page),
        Add("atoll-verify-checkpoint", ParseVerifyFlags, page)}) {
    if (!status.ok()) return status;
  }
  return page;
}

}  // namespace atl::tools
