// What somebody wants to know of a checkpoint before serving it.
#pragma once

#include <string>

#include "common/base/status.h"
#include "tools/verify_checkpoint/evidence/report.h"

namespace atl::tools {

enum class VerifyDepth : uint8_t {
  kQuick,  // headers and tokenizer; the weights are only read where the model is run
  kFull,
};

struct VerifyOptions {
  std::string folder;
  std::string data;  // tests/data of the repository
  VerifyDepth depth = VerifyDepth::kFull;
  int num_threads = 1;
};

// Findings go to the report. An error: the folder cannot be read at all, or its config describes no
// model of the family.
absl::Status VerifyCheckpoint(const VerifyOptions& options, Report& report);

}  // namespace atl::tools
