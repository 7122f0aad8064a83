#include "coordinator/flags.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

namespace atl {
namespace {

constexpr const char* kDescription =
    "atoll-coordinator: serves a qwen3_5_moe checkpoint to OpenAI clients, over a cluster of\n"
    "atoll-worker processes. Plain HTTP; on loopback unless --host says otherwise.";

void AddServing(CLI::App* app, Flags* flags) {
  app->add_option("--model", flags->model,
                  "Folder of the checkpoint: config.json, generation_config.json, tokenizer.json, "
                  "chat_template.jinja")
      ->required();
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
}

void AddOperation(CLI::App* app, Flags* flags) {
  app->add_option("--drain-timeout-s", flags->drain_timeout_s,
                  "Seconds that open answers get after SIGINT or SIGTERM")
      ->capture_default_str()
      ->check(CLI::Range(0, 86400));
  const std::map<std::string, ExpertRows> expert_rows = {{"layer", ExpertRows::kByLayer},
                                                         {"expert", ExpertRows::kByExpert}};
  app->add_option("--metrics-expert-rows", flags->expert_rows,
                  "Rows of experts on /metrics: a sum and a maximum by layer, or by expert too "
                  "(layers x experts series): layer or expert [layer]")
      ->transform(CLI::CheckedTransformer(expert_rows))
      ->type_name("NAME");
  const std::map<std::string, log::Level> levels = {{"debug", log::Level::kDebug},
                                                    {"info", log::Level::kInfo},
                                                    {"warning", log::Level::kWarning},
                                                    {"error", log::Level::kError}};
  app->add_option("--log-level", flags->log_level,
                  "Least weight of lines on standard error: debug, info, warning or error [info]")
      ->transform(CLI::CheckedTransformer(levels))
      ->type_name("NAME");
}

// CLI11's sentence on one line.
std::string OneLine(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

}  // namespace

std::string AtollVersion() { return ATOLL_VERSION; }

absl::StatusOr<std::optional<Flags>> ParseFlags(int argc, const char* const* argv) {
  Flags flags;
  CLI::App app(kDescription, "atoll-coordinator");
  app.set_version_flag("--version", "atoll-coordinator " + AtollVersion());
  AddServing(&app, &flags);
  AddEngine(&app, &flags);
  AddOperation(&app, &flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success);  // prints the help or the version
    return std::optional<Flags>();
  } catch (const CLI::Error& error) {
    return InvalidArgument("{} (--help lists the options)", OneLine(error.what()));
  }
  if (flags.max_num_batched_tokens < flags.max_num_seqs) {
    return InvalidArgument(
        "--max-num-batched-tokens {} is below --max-num-seqs {}: a step must have room for one row "
        "of every sequence",
        flags.max_num_batched_tokens, flags.max_num_seqs);
  }
  return std::optional<Flags>(std::move(flags));
}

}  // namespace atl
