#include "tools/checker/question/flags.h"

#include <CLI/CLI.hpp>

#include "common/base/status_macros.h"
#include "common/config/command_line.h"

namespace atl::tools {
namespace {

constexpr const char* kDescription =
    "atoll-check: asks one room of Atoll from outside. Reads a JSON object a line from standard\n"
    "input and writes one a line: the same \"id\", and an answer or an error.";

constexpr int kThreadsMax = 1024;
constexpr int kWorkersMax = 64;

void AddFlags(CLI::App* app, CheckFlags* flags) {
  app->add_option("KIND", flags->kind,
                  "What is asked: tokenize, detokenize, template, yarn, sample, load, logits or "
                  "request (output and place answer UNIMPLEMENTED)")
      ->required();
  app->add_option("--tokenizer", flags->tokenizer,
                  "tokenize, detokenize, request: folder with a tokenizer.json");
  app->add_option("--ranks", flags->ranks,
                  "tokenize, detokenize: a tiktoken file of ranks instead, with --pattern");
  app->add_option("--pattern", flags->pattern, "How --ranks cuts words: qwen2 or qwen35")
      ->check(CLI::IsMember({"qwen2", "qwen35"}));
  app->add_option("--template", flags->chat_template,
                  "template, request: the file to render; without it the template of Qwen3.6");
  app->add_option("--model", flags->model, "logits: folder of the checkpoint");
  app->add_option("--dtype", flags->dtype,
                  "logits: what is kept and sent as: auto (the checkpoint's), bfloat16 (bf16), "
                  "float32 (fp32)")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "bfloat16", "bf16", "float32", "fp32"}));
  app->add_option("--threads", flags->threads,
                  "logits: compute threads of each worker; 0: the CPUs that this process may use")
      ->capture_default_str()
      ->check(CLI::Range(0, kThreadsMax));
  auto* workers =
      app->add_option("--workers", flags->workers, "logits: workers within this process")
          ->capture_default_str()
          ->check(CLI::Range(1, kWorkersMax));
  app->add_option("--processes", flags->processes,
                  "logits: workers as processes, the atoll-worker beside this program; no answer "
                  "depends on it")
      ->check(CLI::Range(1, kWorkersMax))
      ->excludes(workers);
  app->footer("ATOLL_KERNELS=ref|avx2|avx512 forces the ISA of the kernels.");
}

absl::Status CheckTogether(const CheckFlags& flags) {
  if (flags.model.rfind("scripted:", 0) == 0) {
    return Unimplemented(
        "--model {}: scripted models are not there yet; give the folder of a checkpoint",
        flags.model);
  }
  if (!flags.tokenizer.empty() && !flags.ranks.empty()) {
    return InvalidArgument("--tokenizer and --ranks exclude each other; give one of them");
  }
  if (flags.ranks.empty() != flags.pattern.empty()) {
    return InvalidArgument("--ranks FILE and --pattern qwen2|qwen35 belong together; give both");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CheckFlags> ParseCheckFlags(int argc, const char* const* argv) {
  CheckFlags flags;
  CLI::App app(kDescription, "atoll-check");
  AddFlags(&app, &flags);
  ATOLL_RETURN_IF_ERROR(ParseCommandLine(app, argc, argv));
  ATOLL_RETURN_IF_ERROR(CheckTogether(flags));
  return flags;
}

}  // namespace atl::tools
