// The worker's command line.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"
#include "common/log/log.h"

namespace atl::worker {

struct WorkerFlags {
  std::string model;
  std::string tokenizer = "tools/nano/checkpoint";  // of a scripted model
  std::string coordinator = "127.0.0.1:9700";
  int threads = 0;                    // 0: the CPUs that this process may use
  std::string dtype = "auto";         // auto, bfloat16 (bf16), float32 (fp32)
  int64_t kv_cache_memory_bytes = 0;  // 0: DefaultCacheBytes
  int max_num_seqs = 256;
  int late_rows = 1;
  int spin_us = 50;
  std::string pin = "auto";             // auto, off
  std::string packed_weights = "auto";  // auto, file, memory, off
  std::string packed_weights_dir;       // empty: beside the checkpoint, else the user's cache
  log::Level log_level = log::Level::kInfo;
};

// kCancelled: help or version was asked for, the text is the message; kInvalidArgument: one
// sentence on the flag at fault.
absl::StatusOr<WorkerFlags> ParseWorkerFlags(int argc, const char* const* argv);

}  // namespace atl::worker
