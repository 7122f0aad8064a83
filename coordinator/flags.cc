#include "coordinator/flags.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "common/base/status_macros.h"
#include "common/config/choice_flag.h"
#include "common/config/command_line.h"

namespace atl::coordinator {
namespace {

constexpr const char* kDescription =
    "atoll-coordinator: serves a qwen3_5_moe checkpoint to OpenAI clients, over a cluster of\n"
    "atoll-worker processes. Plain HTTP; on loopback unless --host says otherwise.";

void AddServing(CLI::App* app, Flags* flags) {
  app->add_option("--model", flags->model,
                  "Folder of the checkpoint: config.json, generation_config.json, tokenizer.json, "
                  "chat_template.jinja; or scripted:FILE, whose workers run a script")
      ->required();
  app->add_option("--tokenizer", flags->tokenizer,
                  "Folder of the tokenizer and the chat template of a scripted model")
      ->capture_default_str();
  app->add_option("--served-model-name", flags->served_model_name,
                  "Name of the model in requests and answers [last component of --model]");
  app->add_option("--chat-template", flags->chat_template,
                  "Jinja file used instead of the checkpoint's chat template");
  app->add_option("--host", flags->host, "Address that HTTP clients connect to")
      ->capture_default_str();
  app->add_option("--port", flags->port,
                  "Port of HTTP; 0 takes a free one. The URL is printed on standard output")
      ->capture_default_str()
      ->check(CLI::Range(0, 65535));
  app->add_option("--max-connections", flags->max_connections, "HTTP connections at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app->add_option("--max-body-bytes", flags->max_body_bytes, "Largest body of a request")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1024}, int64_t{256} << 20));
  app->add_option("--api-threads", flags->api_threads,
                  "Threads that parse requests, render templates and tokenise")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
}

void AddEngine(CLI::App* app, Flags* flags) {
  app->add_option("--worker-listen", flags->worker_listen,
                  "HOST:PORT that workers dial; port 0 takes a free one. The address is printed on "
                  "standard output")
      ->capture_default_str();
  app->add_option("--num-workers", flags->num_workers,
                  "Workers that must have joined before requests are taken")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  app->add_option("--max-model-len", flags->max_model_len,
                  "Longest sequence, prompt and answer together [what config.json allows]")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30));
  app->add_option("--max-num-seqs", flags->max_num_seqs, "Sequences that run at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  app->add_option("--max-num-batched-tokens", flags->max_num_batched_tokens,
                  "Rows of one step over all workers; at least --max-num-seqs")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  app->add_option("--max-queue", flags->max_queue,
                  "Requests that wait for admission; more are answered 429")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app->add_option("--queue-timeout-s", flags->queue_timeout_s,
                  "Seconds that a request may wait for admission before it is answered 503; 0: no "
                  "limit")
      ->capture_default_str()
      ->check(CLI::Range(0, 86400));
  app->add_option("--step-time-target-ms", flags->step_time_target_ms,
                  "Milliseconds that a step should take at most: prompts are cut into chunks that "
                  "fit beside the running answers; 0: no target")
      ->capture_default_str()
      ->check(CLI::Range(0, 600'000));
  app->add_option("--step-limit-s", flags->step_limit_s,
                  "Seconds after which a worker that has not reported a step is called lost")
      ->capture_default_str()
      ->check(CLI::Range(1, 86400));
}

void AddOperation(CLI::App* app, Flags* flags) {
  app->add_option("--drain-timeout-s", flags->drain_timeout_s,
                  "Seconds that open answers get after SIGINT or SIGTERM")
      ->capture_default_str()
      ->check(CLI::Range(0, 86400));
  app->add_option("--access-log", flags->access_log,
                  "File that gets one JSON line for each finished request; - is standard output "
                  "[none]");
  AddChoice<ExpertRows>(
      app, "--metrics-expert-rows",
      {{"layer", ExpertRows::kByLayer}, {"expert", ExpertRows::kByExpert}},
      "Rows of experts on /metrics: a sum and a maximum by layer, or all of them, "
      "which is layers x experts series",
      &flags->expert_rows);
  AddChoice<MetricsCompat>(
      app, "--metrics-compat", {{"none", MetricsCompat::kNone}, {"vllm", MetricsCompat::kVllm}},
      "Show metrics under another server's names as well, for dashboards and autoscalers",
      &flags->metrics_compat);
  AddLogLevel(app, &flags->log_level);
}

absl::Status CheckHostPort(const std::string& flag, const std::string& address) {
  const size_t colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  const bool digits = !port.empty() && port.size() <= 5 &&
                      port.find_first_not_of("0123456789") == std::string::npos;
  if (colon == 0 || !digits || std::stoi(port) > 65535) {
    return InvalidArgument("{} {}: expected HOST:PORT, for example 127.0.0.1:9700", flag, address);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Flags> ParseFlags(int argc, const char* const* argv) {
  Flags flags;
  CLI::App app(kDescription, "atoll-coordinator");
  AddServing(&app, &flags);
  AddEngine(&app, &flags);
  AddOperation(&app, &flags);
  ATOLL_RETURN_IF_ERROR(ParseCommandLine(app, argc, argv));
  ATOLL_RETURN_IF_ERROR(CheckHostPort("--worker-listen", flags.worker_listen));
  if (flags.max_num_batched_tokens < flags.max_num_seqs) {
    return InvalidArgument(
        "--max-num-batched-tokens {} is below --max-num-seqs {}: a step must have room for one row "
        "of every sequence",
        flags.max_num_batched_tokens, flags.max_num_seqs);
  }
  return flags;
}

}  // namespace atl::coordinator
