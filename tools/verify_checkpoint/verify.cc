#include "tools/verify_checkpoint/verify.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "common/base/status_macros.h"
#include "common/concurrency/machine_limits.h"
#include "common/config/file.h"
#include "common/config/generation_config.h"
#include "common/config/model_config.h"
#include "tools/random_checkpoint/tensors/progress.h"
#include "tools/verify_checkpoint/checks/model_check.h"
#include "tools/verify_checkpoint/checks/tensor_check.h"
#include "tools/verify_checkpoint/checks/tokenizer_check.h"
#include "tools/verify_checkpoint/checks/value_scan.h"
#include "tools/verify_checkpoint/evidence/golden_answer.h"
#include "tools/verify_checkpoint/evidence/stored_tensors.h"

namespace atl::tools {
namespace {

void SayConfig(const ModelConfig& c, Report& report) {
  report.Say(fmt::format(
      "{} layers ({} linear, {} full attention), hidden {}, vocabulary {} rows{}", c.num_layers(),
      c.num_layers_of(LayerType::kLinearAttention), c.num_layers_of(LayerType::kFullAttention),
      c.hidden_size, c.vocab_size, c.tie_word_embeddings ? ", head tied" : ""));
  report.Say(fmt::format("{} experts of width {}, {} a token, shared {}", c.num_experts,
                         c.moe_intermediate, c.num_experts_per_token, c.shared_intermediate));
  report.Say(fmt::format(
      "attention: {} heads, {} for keys and values, of {}; {} channels rotate, theta {}, YaRN {}",
      c.num_attention_heads, c.num_kv_heads, c.head_dim, c.rope.rotary_dim, c.rope.theta,
      c.rope.factor == 1.0 ? "off" : fmt::format("{}", c.rope.factor)));
  report.Say(fmt::format("linear: {} key heads of {}, {} value heads of {}, convolution {}",
                         c.linear_num_key_heads, c.linear_key_dim, c.linear_num_value_heads,
                         c.linear_value_dim, c.conv_kernel));
  report.Say(fmt::format(
      "context {}, epsilon {}, {}", c.context_length(), c.rms_norm_eps,
      c.quantisation == Quantisation::kNone ? "not quantised" : "FP8 in blocks of 128 x 128"));
}

void CheckStopIds(const std::string& folder, const ModelConfig& config, Report& report) {
  const auto generation = LoadGenerationConfig(folder);
  if (!generation.ok()) {
    report.Find("generation_config.json", MessageOf(generation.status()));
    return;
  }
  std::vector<int32_t> ids = generation->eos_token_ids;
  if (ids.empty()) ids = config.eos_token_ids;
  report.Say(fmt::format("stops on {}; temperature {}, top_p {}, top_k {}",
                         ids.empty() ? "nothing" : fmt::format("{}", fmt::join(ids, ", ")),
                         generation->temperature, generation->top_p, generation->top_k));
  if (ids.empty()) {
    report.Find("stop ids",
                "neither generation_config.json nor config.json has eos_token_id, so answers end "
                "only at their limit; copy generation_config.json from the release");
  }
  for (const int32_t id : ids) {
    if (id >= 0 && id < config.vocab_size) continue;
    report.Find("stop ids", fmt::format("{} is no id of a vocabulary of {}; correct "
                                        "generation_config.json",
                                        id, config.vocab_size));
  }
}

void SayMemory(uint64_t tensor_bytes, Report& report) {
  constexpr uint64_t kBesides = 2'000'000'000;  // logits, caches and the program
  const uint64_t wanted = tensor_bytes + kBesides;
  const auto allowed = static_cast<uint64_t>(std::max<int64_t>(MemoryLimitBytes(), 0));
  const bool fits = wanted <= allowed;
  report.Say(fmt::format("memory: {} wanted, {} allowed{}", SizeText(wanted), SizeText(allowed),
                         fits ? ""
                              : "; files are mapped, so it runs with less, but reads them again "
                                "and again: be patient"));
}

struct WeightsVerdict {
  uint64_t tensor_bytes = 0;
  bool can_run = false;
  Release release = Release::kAnother;
};

// Files, tensors and values. Their mappings end with it: the model maps the files anew.
absl::StatusOr<WeightsVerdict> CheckWeights(const VerifyOptions& options, const ModelConfig& config,
                                            const std::string& config_text, Report& report) {
  const int before = report.num_findings();
  report.BeginSection("files");
  ATOLL_ASSIGN_OR_RETURN(const StoredCheckpoint stored,
                         ReadStoredCheckpoint(options.folder, report));
  report.EndSection();

  report.BeginSection("tensors");
  ATOLL_ASSIGN_OR_RETURN(const std::vector<worker::ExpectedTensor> expected,
                         ExpectedOf(stored, config, config_text));
  const Release release = CheckTensors(stored, expected, config, report);
  report.EndSection();

  report.BeginSection("values");
  if (options.depth == VerifyDepth::kFull) {
    ScanValues(stored, options.num_threads, report);
  } else {
    report.Say("not read: --quick");
  }
  report.EndSection();
  return WeightsVerdict{stored.tensor_bytes, report.num_findings() == before, release};
}

void RunModel(const WeightsVerdict& weights, const ModelCheck& check, Report& report) {
  report.BeginSection("model");
  SayMemory(weights.tensor_bytes, report);
  if (weights.can_run) {
    const auto begin = std::chrono::steady_clock::now();
    if (const absl::Status status = CheckModel(check, report); !status.ok())
      report.Find("model", MessageOf(status));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    report.Say(fmt::format("took {:.1f} s with {} threads", took.count(), check.num_threads));
  } else {
    report.Say("not run: see what was found above");
  }
  report.EndSection();
}

}  // namespace

absl::Status VerifyCheckpoint(const VerifyOptions& options, Report& report) {
  ATOLL_ASSIGN_OR_RETURN(const GoldenAnswer golden, ReadGoldenAnswer(options.data));
  const std::string& folder = options.folder;
  ATOLL_ASSIGN_OR_RETURN(const std::string config_text,
                         ReadTextFile(folder + "/config.json", kConfigBytesMax));
  ATOLL_ASSIGN_OR_RETURN(const ModelConfig config,
                         ParseModelConfig(config_text, folder + "/config.json"));
  report.BeginSection("config");
  SayConfig(config, report);
  CheckStopIds(folder, config, report);
  report.EndSection();

  report.BeginSection("tokenizer");
  const std::unique_ptr<Tokenizer> tokenizer =
      CheckTokenizer(folder, options.data, config, golden, report);
  report.EndSection();

  ATOLL_ASSIGN_OR_RETURN(const WeightsVerdict weights,
                         CheckWeights(options, config, config_text, report));
  RunModel(weights,
           {.folder = folder,
            .data = options.data,
            .config = &config,
            .tokenizer = tokenizer.get(),
            .golden = &golden,
            .release = weights.release,
            .num_threads = options.num_threads},
           report);
  return absl::OkStatus();
}

}  // namespace atl::tools
