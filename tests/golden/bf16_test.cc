// bf16 judged as a distribution: how far our bf16 run of the embedded model lies from our fp32 run,
// beside the same figures of transformers (data/bf16.json, recorded by tools/golden/bf16.py).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "tests/support/status_matchers.h"
#include "worker/local/local_cluster.h"

namespace atl::testing {
namespace {

using Json = nlohmann::json;

constexpr char kModel[] = "tools/nano/checkpoint";
constexpr double kDivergenceFactor = 2.0;  // of transformers' own mean KL
constexpr double kTop1Slack = 0.01;        // below transformers' own agreement

// The dialogues of these numbers, prompt and answer as one text.
std::vector<std::vector<TokenId>> Texts(const std::set<int>& numbers) {
  std::vector<std::vector<TokenId>> texts;
  std::ifstream file(std::string(kModel) + "/dialogues.jsonl");
  for (std::string line; std::getline(file, line);) {
    const Json dialogue = Json::parse(line);
    if (!numbers.contains(dialogue["id"].get<int>())) continue;
    std::vector<TokenId> ids;
    for (const char* part : {"prompt_ids", "answer_ids"})
      for (const Json& id : dialogue[part]) ids.push_back(TokenId{id.get<int32_t>()});
    texts.push_back(std::move(ids));
  }
  return texts;
}

// log Σ exp of a row of V logits.
double LogSum(const float* row, int64_t width) {
  const double largest = *std::max_element(row, row + width);
  double sum = 0.0;
  for (int64_t i = 0; i < width; ++i) sum += std::exp(row[i] - largest);
  return largest + std::log(sum);
}

// KL(p ‖ q) of the softmaxes of two rows of logits.
double Divergence(const float* p, const float* q, int64_t width) {
  const double p_sum = LogSum(p, width), q_sum = LogSum(q, width);
  double divergence = 0.0;
  for (int64_t i = 0; i < width; ++i) {
    const double log_p = p[i] - p_sum;
    divergence += std::exp(log_p) * (log_p - (q[i] - q_sum));
  }
  return divergence;
}

std::unique_ptr<worker::LocalCluster> Cluster(const ModelConfig& config,
                                              const worker::ModelWeights& weights,
                                              kernels::DType dtype) {
  return worker::LocalCluster::Create(config, weights,
                                      {.executor = {.backend = kernels::BestBackend().value(),
                                                    .decoder = {.dtype = dtype},
                                                    .num_blocks = 8,
                                                    .num_slots = 1}})
      .value();
}

TEST(Bf16Test, LiesAsNearToFp32AsTransformersDoes) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, LoadModelConfig(kModel));
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, worker::Checkpoint::Open(kModel));
  ASSERT_OK_AND_ASSIGN(const worker::ModelWeights weights,
                       worker::LoadModelWeights(*checkpoint, config));
  std::ifstream file("tests/golden/data/bf16.json");
  const Json recorded = Json::parse(file);
  const auto exact = Cluster(config, weights, kernels::DType::kF32);
  const auto rounded = Cluster(config, weights, kernels::DType::kBf16);
  const int64_t v = config.vocab_size;
  double divergence = 0.0;
  int64_t equal = 0, positions = 0;
  for (const std::vector<TokenId>& ids : Texts(recorded["dialogues"].get<std::set<int>>())) {
    ASSERT_OK_AND_ASSIGN(const worker::SoloOutput a, worker::RunSolo(*exact, {.ids = ids}));
    ASSERT_OK_AND_ASSIGN(const worker::SoloOutput b, worker::RunSolo(*rounded, {.ids = ids}));
    for (int64_t row = 0; row < static_cast<int64_t>(ids.size()); ++row) {
      const float* p = a.logits.data() + row * v;
      const float* q = b.logits.data() + row * v;
      divergence += Divergence(p, q, v);
      equal += std::max_element(p, p + v) - p == std::max_element(q, q + v) - q ? 1 : 0;
    }
    positions += static_cast<int64_t>(ids.size());
  }
  ASSERT_EQ(positions, recorded["positions"].get<int64_t>());
  const double mean_kl = divergence / static_cast<double>(positions);
  const double top1 = static_cast<double>(equal) / static_cast<double>(positions);
  const double their_kl = recorded["mean_kl"].get<double>(), their_top1 = recorded["top1"];
  fmt::print(
      "[ bf16     ] {} positions: mean KL {:.3e} (transformers {:.3e}), top-1 {:.2f} % ({:.2f} "
      "%)\n",
      positions, mean_kl, their_kl, 100.0 * top1, 100.0 * their_top1);
  EXPECT_GT(mean_kl, 0.0);  // bf16 did round
  EXPECT_LE(mean_kl, kDivergenceFactor * their_kl);
  EXPECT_GE(top1, their_top1 - kTop1Slack);
}

}  // namespace
}  // namespace atl::testing
