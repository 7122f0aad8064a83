#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/status_macros.h"
#include "common/config/command_line.h"
#include "common/text/printable.h"
#include "tools/loadgen/plan/load_options.h"

namespace atl::tools {
namespace {

constexpr const char* kDescription =
    "atoll-bench: loads a server that speaks OpenAI's API and measures what its clients see.";
constexpr const char* kFooter =
    "Sends until --num-requests or --duration, then waits up to --drain. A closed-loop client "
    "that\n"
    "was refused comes back after 100 ms. Exit status: 0 good; 1 a wrong text, a stream against "
    "the\n"
    "protocol or more than --max-errors failures; 2 usage.";

constexpr int kConcurrencyMax = 50'000;
constexpr double kRateMax = 100'000;
constexpr double kSecondsMax = 1e6;
constexpr int kBytesPerSMax = 1 << 30;
constexpr int64_t kPrefixTokensMax = 1'000'000;
constexpr uint64_t kCountMax = 1'000'000'000;
constexpr uint64_t kDefaultRequests = 100;

// What the command line says before it is made into options.
struct Words {
  std::string url;
  std::string api = "chat";
  std::string prompt_tokens = "fixed:64";
  std::string answer_tokens = "fixed:64";
  std::string body;
};

void AddLoad(CLI::App* app, LoadOptions* options, Words* words) {
  app->add_option("--url", words->url, "The server, http://HOST:PORT")->required();
  app->add_option("--endpoint", words->api, "chat or completions")
      ->capture_default_str()
      ->check(CLI::IsMember({"chat", "completions"}));
  app->add_option("--model", options->model, "Name of the model; default: the first of /v1/models");
  app->add_option("--header", options->headers, "\"Name: value\" of every request; may be repeated")
      ->take_all();
  auto* concurrency = app->add_option("--concurrency", options->concurrency,
                                      "Closed loop: clients, each with one request at a time")
                          ->capture_default_str()
                          ->check(CLI::Range(1, kConcurrencyMax));
  app->add_option("--rate", options->rate, "Open loop: requests a second, Poisson arrivals")
      ->check(CLI::Range(0.001, kRateMax))
      ->excludes(concurrency);
  app->add_option("--num-requests", options->num_requests, "Requests to send; default 100")
      ->check(CLI::Range(uint64_t{1}, kCountMax));
  app->add_option("--duration", options->duration_s, "Seconds to send for")
      ->check(CLI::Range(0.1, kSecondsMax));
  app->add_option("--warmup", options->warmup_s,
                  "Requests begun in the first S seconds do not count")
      ->check(CLI::Range(0.0, kSecondsMax));
  app->add_option("--drain", options->drain_s, "Seconds for what is open at the end")
      ->capture_default_str()
      ->check(CLI::Range(0.0, kSecondsMax));
  app->add_option("--time-limit", options->time_limit_s, "Seconds a request may take")
      ->capture_default_str()
      ->check(CLI::Range(0.1, kSecondsMax));
  app->add_option("--max-open", options->open_max, "Open loop: requests at once; more are failures")
      ->capture_default_str()
      ->check(CLI::Range(1, kConcurrencyMax));
  app->add_option("--seed", options->seed, "Of everything random")->capture_default_str();
}

void AddPrompts(CLI::App* app, LoadOptions* options, Words* words) {
  app->add_option("--prompt-tokens", words->prompt_tokens,
                  "Words of a generated prompt, about a token each: fixed:N, uniform:A,B or "
                  "lognormal:MEDIAN,SIGMA")
      ->capture_default_str();
  app->add_option("--answer-tokens", words->answer_tokens, "max_tokens, the same way")
      ->capture_default_str();
  app->add_option("--num-prompts", options->num_prompts,
                  "Distinct generated prompts, asked in turn; default: every request its own")
      ->check(CLI::Range(uint64_t{1}, kCountMax));
  app->add_option("--prompts", options->prompts_file,
                  "JSON lines of {\"prompt\" or \"messages\", \"max_tokens\", \"expect\"} instead")
      ->excludes("--num-prompts");
  app->add_option("--shared-prefix-tokens", options->shared_prefix_tokens,
                  "Words that generated prompts begin with")
      ->check(CLI::Range(int64_t{0}, kPrefixTokensMax));
  app->add_option("--prefixes", options->num_prefixes, "Different beginnings of this kind")
      ->capture_default_str()
      ->check(CLI::Range(uint64_t{1}, kCountMax));
  app->add_flag("--ignore-eos", options->ignore_eos, "Answers run to max_tokens");
  app->add_option("--temperature", options->temperature, "Default 0");
  app->add_option("--body", words->body, "A JSON object whose fields go into every request");
}

void AddReaders(CLI::App* app, LoadOptions* options) {
  app->add_option("--cancel-share", options->cancel_share,
                  "Of the requests, closed after a random number of tokens")
      ->check(CLI::Range(0.0, 1.0));
  app->add_option("--slow-share", options->slow_share, "Of the requests, read slowly")
      ->check(CLI::Range(0.0, 1.0));
  app->add_option("--slow-bytes-per-s", options->slow_bytes_per_s, "How slowly")
      ->capture_default_str()
      ->check(CLI::Range(1, kBytesPerSMax));
}

void AddJudgement(CLI::App* app, LoadOptions* options) {
  const auto limit = CLI::Range(0.0, kSecondsMax);
  app->add_option("--ttft-limit-ms", options->limits.ttft_ms, "Goodput: time to first token")
      ->check(limit);
  app->add_option("--gap-limit-ms", options->limits.gap_ms, "Goodput: every gap between tokens")
      ->check(limit);
  app->add_option("--tpot-limit-ms", options->limits.tpot_ms, "Goodput: time per output token")
      ->check(limit);
  auto* check_text = app->add_flag("--check-text", options->check_text,
                                   "Equal prompts must have equal answers, whole and cancelled");
  app->add_flag("--reference-first", options->reference_first,
                "Each prompt is asked once alone before the load, and answers compared to that")
      ->needs(check_text);
  app->add_option("--max-errors", options->errors_max, "Failures that are accepted")
      ->capture_default_str();
  app->add_option("--watch-pid", options->watched_pids,
                  "Processes of this machine to sample: CPU, RSS, descriptors, threads")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app->add_option("--json", options->json_file, "File for everything that was measured");
  app->add_flag("--samples", options->with_samples, "Every request and gap into --json")
      ->needs("--json");
}

absl::StatusOr<std::string> FieldsOf(const std::string& body) {
  const auto fields = nlohmann::json::parse(body, nullptr, false);
  if (!fields.is_object()) {
    return InvalidArgument("--body {}: give a JSON object", Printable(body));
  }
  const std::string text = fields.dump();
  return text.substr(1, text.size() - 2);
}

absl::Status CheckTogether(const LoadOptions& options) {
  for (const std::string& header : options.headers) {
    const bool is_line =
        std::none_of(header.begin(), header.end(), [](char c) { return c == '\r' || c == '\n'; });
    if (!is_line || header.find(": ") == std::string::npos) {
      return InvalidArgument("--header {}: give \"Name: value\"", Printable(header));
    }
  }
  if (options.cancel_share + options.slow_share > 1) {
    return InvalidArgument("--cancel-share and --slow-share are more than 1 together");
  }
  if (options.check_text && options.num_prompts == 0 && options.prompts_file.empty()) {
    return InvalidArgument(
        "--check-text compares answers to equal prompts; give --num-prompts or --prompts");
  }
  if (options.duration_s > 0 && options.warmup_s >= options.duration_s) {
    return InvalidArgument("--warmup {} leaves nothing of --duration {}", options.warmup_s,
                           options.duration_s);
  }
  return absl::OkStatus();
}

absl::Status Complete(const Words& words, LoadOptions* options) {
  ATOLL_ASSIGN_OR_RETURN(options->endpoint, HttpEndpoint::Parse(words.url));
  options->api = words.api == "chat" ? ApiKind::kChat : ApiKind::kCompletions;
  auto prompt_tokens = LengthDistribution::Parse(words.prompt_tokens);
  if (!prompt_tokens.ok()) return Annotate(prompt_tokens.status(), "--prompt-tokens");
  options->prompt_tokens = *prompt_tokens;
  auto answer_tokens = LengthDistribution::Parse(words.answer_tokens);
  if (!answer_tokens.ok()) return Annotate(answer_tokens.status(), "--answer-tokens");
  options->answer_tokens = *answer_tokens;
  if (!words.body.empty()) {
    ATOLL_ASSIGN_OR_RETURN(options->extra_fields, FieldsOf(words.body));
  }
  if (options->num_requests == 0 && options->duration_s == 0) {
    options->num_requests = kDefaultRequests;
  }
  return CheckTogether(*options);
}

}  // namespace

absl::StatusOr<LoadOptions> ParseBenchFlags(int argc, const char* const* argv) {
  LoadOptions options;
  Words words;
  CLI::App app(kDescription, "atoll-bench");
  app.require_subcommand(1);
  CLI::App* serve =
      app.add_subcommand("serve", "Streams from /v1/chat/completions or /v1/completions");
  AddLoad(serve, &options, &words);
  AddPrompts(serve, &options, &words);
  AddReaders(serve, &options);
  AddJudgement(serve, &options);
  serve->footer(kFooter);
  ATOLL_RETURN_IF_ERROR(ParseCommandLine(app, argc, argv));
  options.command.assign(argv, argv + argc);
  ATOLL_RETURN_IF_ERROR(Complete(words, &options));
  return options;
}

}  // namespace atl::tools
