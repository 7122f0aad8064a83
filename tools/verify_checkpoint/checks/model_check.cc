#include "tools/verify_checkpoint/checks/model_check.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/config/file.h"
#include "kernels/ops/attention/kv_layout.h"
#include "worker/local/local_cluster.h"

namespace atl::tools {
namespace {

constexpr const char* kTextFile = "/text/harbour.txt";
constexpr size_t kTextBytesMax = 1 << 20;
constexpr int32_t kPieceRows = 256;  // of the real vocabulary: 254 MB of logits
constexpr int32_t kRandomIds = 512;
// Of a broken model: thousands. Of a trained one of this size on plain English and C++: to be
// expected between 5 and 20.
constexpr double kPerplexityMax = 50.0;

// −log of the probability of `next`.
double Surprise(const float* logits, int vocab_size, TokenId next) {
  const double largest = *std::max_element(logits, logits + vocab_size);
  double sum = 0.0;
  for (int i = 0; i < vocab_size; ++i) sum += std::exp(double{logits[i]} - largest);
  return largest + std::log(sum) - double{logits[Value(next)]};
}

struct Evaluation {
  double surprise = 0.0;  // summed
  int num_predicted = 0;
  std::map<std::pair<int, int>, int64_t> rows_of;  // by layer and expert
};

// One sequence, `ids`, in chunks; its last id is only predicted.
absl::StatusOr<Evaluation> Evaluate(worker::LocalCluster& cluster, const ModelConfig& config,
                                    const std::vector<TokenId>& ids) {
  Evaluation evaluation;
  const auto num_rows = static_cast<int32_t>(ids.size()) - 1;
  int32_t num_blocks = 0;
  for (int32_t begin = 0; begin < num_rows; begin += kPieceRows) {
    const int32_t end = std::min(begin + kPieceRows, num_rows);
    SequenceWork work = {.seq = SeqId{1},
                         .begin = begin,
                         .num_rows = end - begin,
                         .ids = {ids.begin() + begin, ids.begin() + end},
                         .probe = Probe::kLogits};
    for (; num_blocks * kBlockTokens < end; ++num_blocks)
      work.new_blocks.push_back(BlockId{num_blocks});
    StepPlan plan;
    if (begin == 0)
      plan.start.push_back({.seq = SeqId{1}, .prompt_length = num_rows, .max_new_tokens = 1});
    plan.work.push_back(std::move(work));
    const StepResult result = std::move(cluster.Step({std::move(plan)}).at(0));
    ATOLL_RETURN_IF_ERROR(result.status);
    for (const ProbeResult& probe : result.probes) {
      for (int32_t row = 0; row < probe.num_rows; ++row) {
        const float* logits =
            probe.logits.data() + int64_t{row} * static_cast<int64_t>(config.vocab_size);
        evaluation.surprise +=
            Surprise(logits, config.vocab_size, ids[static_cast<size_t>(probe.begin + row + 1)]);
        ++evaluation.num_predicted;
      }
    }
    for (const ExpertLoad& load : result.stats.expert_rows)
      evaluation.rows_of[{load.layer, load.expert}] += load.rows;
  }
  StepPlan last;
  last.free.push_back(SeqId{1});
  ATOLL_RETURN_IF_ERROR(cluster.Step({std::move(last)}).at(0).status);
  return evaluation;
}

void SayRouting(const Evaluation& evaluation, const ModelConfig& config, Report& report) {
  int64_t most = 0;
  for (const auto& [expert, rows] : evaluation.rows_of) most = std::max(most, rows);
  const double mean = static_cast<double>(evaluation.num_predicted) * config.num_experts_per_token /
                      config.num_experts;
  const double all = static_cast<double>(config.num_experts) * config.num_layers();
  report.Say(fmt::format(
      "routing: {:.1f} % of the experts of {} layers saw a row; the busiest {:.1f} times the mean",
      100.0 * static_cast<double>(evaluation.rows_of.size()) / all, config.num_layers(),
      static_cast<double>(most) / mean));
}

class Runner {
 public:
  Runner(const ModelCheck& check, Report& report) : check_(check), report_(report) {}

  absl::Status Run() {
    const ModelConfig& config = *check_.config;
    ATOLL_ASSIGN_OR_RETURN(ids_, Ids());
    ATOLL_ASSIGN_OR_RETURN(const auto checkpoint, worker::Checkpoint::Open(check_.folder));
    ATOLL_ASSIGN_OR_RETURN(const worker::ModelWeights weights,
                           worker::LoadModelWeights(*checkpoint, config));
    ATOLL_ASSIGN_OR_RETURN(const kernels::Backend backend, kernels::BestBackend());
    ATOLL_ASSIGN_OR_RETURN(const kernels::DType dtype, checkpoint->dtype());
    const auto num_blocks = static_cast<int>(ids_.size() / kBlockTokens + 1);
    ATOLL_ASSIGN_OR_RETURN(
        cluster_, worker::LocalCluster::Create(config, weights,
                                               {.executor = {.backend = backend,
                                                             .num_threads = check_.num_threads,
                                                             .decoder = {.dtype = dtype},
                                                             .num_blocks = num_blocks,
                                                             .num_slots = 1}}));
    ATOLL_RETURN_IF_ERROR(RunGolden());
    return RunText();
  }

 private:
  absl::StatusOr<std::vector<TokenId>> Ids() const {
    std::vector<TokenId> ids;
    if (check_.tokenizer != nullptr) {
      ATOLL_ASSIGN_OR_RETURN(const std::string text,
                             ReadTextFile(check_.data + kTextFile, kTextBytesMax));
      ATOLL_ASSIGN_OR_RETURN(ids, check_.tokenizer->Encode(text, {}));
    } else {
      uint64_t random = 1;
      for (int32_t i = 0; i < kRandomIds; ++i) {
        random = random * 6364136223846793005u + 1442695040888963407u;  // Knuth, TAOCP 2, 3.3.4
        ids.push_back(TokenId{static_cast<int32_t>(
            (random >> 33) % static_cast<uint64_t>(check_.config->vocab_size))});
      }
    }
    const auto context = static_cast<size_t>(check_.config->context_length());
    if (ids.size() >= context) ids.resize(context - 1);
    return ids;
  }

  absl::Status RunGolden() {
    if (check_.release != Release::kPublished) {
      report_.Say("golden answer: not the published checkpoint: skipped");
      return absl::OkStatus();
    }
    const GoldenAnswer& golden = *check_.golden;
    ATOLL_ASSIGN_OR_RETURN(
        const worker::SoloOutput out,
        worker::RunSolo(*cluster_, {.ids = golden.prompt_ids,
                                    .num_generate = static_cast<int32_t>(golden.answer_ids.size()),
                                    .probe = Probe::kNone}));
    const auto [differs, expected] =
        std::mismatch(out.generated.begin(), out.generated.end(), golden.answer_ids.begin());
    if (differs == out.generated.end()) {
      report_.Say(
          fmt::format("golden answer: the {} ids recorded elsewhere", out.generated.size()));
    } else {
      report_.Find("golden answer",
                   fmt::format("id {} of {} is {}, recorded was {}; the weights are not the "
                               "published ones, or Atoll computes wrongly",
                               differs - out.generated.begin() + 1, out.generated.size(),
                               Value(*differs), Value(*expected)));
    }
    return absl::OkStatus();
  }

  absl::Status RunText() {
    ATOLL_ASSIGN_OR_RETURN(const Evaluation evaluation, Evaluate(*cluster_, *check_.config, ids_));
    const double perplexity = std::exp(evaluation.surprise / evaluation.num_predicted);
    const char* source = check_.tokenizer != nullptr ? "the bundled text" : "random ids";
    report_.Say(fmt::format("perplexity of {}: {:.2f} over {} tokens", source, perplexity,
                            evaluation.num_predicted));
    report_.Say("expected: 5 to 20 of the published weights, thousands and more of random ones");
    SayRouting(evaluation, *check_.config, report_);
    if (!std::isfinite(perplexity)) {
      report_.Find("perplexity", "it is not a number; copy the weights again");
    } else if (check_.release == Release::kPublished && !(perplexity < kPerplexityMax)) {
      report_.Find(
          "perplexity",
          fmt::format("{:.2f} is above {}; the weights are not the published ones, or Atoll "
                      "computes wrongly",
                      perplexity, kPerplexityMax));
    }
    return absl::OkStatus();
  }

  const ModelCheck& check_;
  Report& report_;
  std::vector<TokenId> ids_;
  std::unique_ptr<worker::LocalCluster> cluster_;
};

}  // namespace

absl::Status CheckModel(const ModelCheck& check, Report& report) {
  return Runner(check, report).Run();
}

}  // namespace atl::tools
