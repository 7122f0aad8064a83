// Who computes logits for atoll-check: workers in this process, or processes of their own.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "common/config/model_config.h"
#include "tools/checker/question/flags.h"

namespace atl::tools {

// One sequence: a prompt, prefilled in chunks of `chunk`, and greedy tokens after it. The ids are
// of the vocabulary, and all of it fits into the context.
struct LogitsJob {
  std::vector<TokenId> ids;  // not empty
  int32_t chunk = 1;
  int32_t num_generate = 0;
};
struct LogitsRows {
  std::vector<float> logits;       // [ids + num_generate − 1 (at least ids), V]
  std::vector<TokenId> generated;  // num_generate
};

// Keeps what it started between jobs. **Threads**: one, the same for all calls.
class LogitsSource {
 public:
  virtual ~LogitsSource() = default;
  // After an error the next job starts anew.
  virtual absl::StatusOr<LogitsRows> Run(const LogitsJob& job) = 0;
};

// flags.workers in this process; reads the checkpoint.
absl::StatusOr<std::unique_ptr<LogitsSource>> MakeLocalLogits(const CheckFlags& flags,
                                                              const ModelConfig& config);
// flags.processes of the atoll-worker beside this program; starts them with the first job.
absl::StatusOr<std::unique_ptr<LogitsSource>> MakeProcessLogits(const CheckFlags& flags,
                                                                const ModelConfig& config);

}  // namespace atl::tools
