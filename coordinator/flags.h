// The command line of atoll-coordinator.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"
#include "common/log/log.h"
#include "coordinator/telemetry/engine_metrics.h"

namespace atl::coordinator {

// Whose names of metrics are shown beside our own.
enum class MetricsCompat : uint8_t { kNone, kVllm };

// Names are vLLM's where it has the option.
struct Flags {
  std::string model;
  std::string tokenizer = "tools/nano/checkpoint";  // of a scripted model
  std::string served_model_name;
  std::string chat_template;
  std::string host = "127.0.0.1";
  int port = 8000;
  std::string worker_listen = "127.0.0.1:9700";
  int num_workers = 2;
  int64_t max_model_len = 0;
  int max_num_seqs = 256;
  int max_num_batched_tokens = 2048;
  int max_queue = 1024;
  int queue_timeout_s = 0;       // 0: none
  int step_time_target_ms = 50;  // 0: none
  int step_limit_s = 600;
  int max_connections = 16'384;
  int64_t max_body_bytes = 8 << 20;
  int api_threads = 1;
  int drain_timeout_s = 30;
  std::string access_log;
  ExpertRows expert_rows = ExpertRows::kByLayer;
  MetricsCompat metrics_compat = MetricsCompat::kNone;
  log::Level log_level = log::Level::kInfo;
};

// Errors as ParseCommandLine gives them, and kInvalidArgument for flags that contradict each other.
absl::StatusOr<Flags> ParseFlags(int argc, const char* const* argv);

}  // namespace atl::coordinator
