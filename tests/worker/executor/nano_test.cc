// The embedded model answers its recorded dialogues as transformers did.
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"
#include "worker/local/local_cluster.h"

namespace atl::worker {
namespace {

using Json = nlohmann::json;

TEST(NanoTest, AnswersRecordedDialoguesAsTransformersDid) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, LoadModelConfig("tools/nano/checkpoint"));
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open("tools/nano/checkpoint"));
  ASSERT_OK_AND_ASSIGN(const ModelWeights weights, LoadModelWeights(*checkpoint, config));
  ASSERT_OK_AND_ASSIGN(const kernels::Backend backend, kernels::BestBackend());
  LocalClusterOptions options = {.executor = {.backend = backend,
                                              .decoder = {.dtype = kernels::DType::kF32},
                                              .num_blocks = 64,
                                              .num_slots = 1}};
  ASSERT_OK_AND_ASSIGN(const auto cluster, LocalCluster::Create(config, weights, options));
  std::ifstream file("tools/nano/checkpoint/dialogues.jsonl");
  std::string line;
  int asked = 0, equal = 0;
  while (std::getline(file, line) && asked < 40) {
    const Json dialogue = Json::parse(line);
    SoloRun run = {.probe = Probe::kNone};
    std::vector<TokenId> expected;
    for (const Json& id : dialogue["prompt_ids"]) run.ids.push_back(TokenId{id.get<int32_t>()});
    for (const Json& id : dialogue["answer_ids"]) expected.push_back(TokenId{id.get<int32_t>()});
    if (run.ids.size() > 600) continue;
    run.num_generate = static_cast<int32_t>(expected.size());
    ASSERT_OK_AND_ASSIGN(const SoloOutput out, RunSolo(*cluster, run));
    ++asked;
    equal += out.generated == expected ? 1 : 0;
  }
  EXPECT_EQ(asked, 40);
  EXPECT_EQ(equal, asked);
}

// Rows of the head that no token of the vocabulary has are never sampled, however likely.
TEST(NanoTest, IdsBeyondTheVocabularyAreNeverSampled) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, LoadModelConfig("tools/nano/checkpoint"));
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open("tools/nano/checkpoint"));
  ASSERT_OK_AND_ASSIGN(const ModelWeights weights, LoadModelWeights(*checkpoint, config));
  const auto first_sampled = [&](int32_t vocab_limit) {
    const auto cluster =
        LocalCluster::Create(config, weights, {.executor = {.num_blocks = 4, .num_slots = 1}})
            .value();
    StepPlan plan;
    plan.start.push_back({.seq = SeqId{1},
                          .prompt_length = 3,
                          .max_new_tokens = 1,
                          .sampling = {.temperature = 0.0f},
                          .vocab_limit = vocab_limit});
    plan.work.push_back({.seq = SeqId{1},
                         .num_rows = 3,
                         .ids = {TokenId{4064}, TokenId{276}, TokenId{198}},
                         .new_blocks = {BlockId{0}},
                         .sample = true});
    const std::vector<StepResult> results = cluster->Step({plan});
    CHECK_OK(results[0].status);
    return Value(results[0].sequences.at(0).ids.at(0));
  };
  const int32_t best = first_sampled(0);
  ASSERT_GT(best, 0);
  EXPECT_EQ(first_sampled(best + 1), best);
  EXPECT_LT(first_sampled(best), best);
}

}  // namespace
}  // namespace atl::worker
