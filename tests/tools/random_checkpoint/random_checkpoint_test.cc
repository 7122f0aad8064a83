#include "tools/random_checkpoint/random_checkpoint.h"

#include <cmath>
#include <set>

#include "common/config/generation_config.h"
#include "tests/support/status_matchers.h"
#include "tests/tools/small_model.h"
#include "worker/local/local_cluster.h"

namespace atl::tools {
namespace {

namespace fs = std::filesystem;

std::string TypeName(const ::testing::TestParamInfo<ReleaseType>& info) {
  return info.param == ReleaseType::kBf16  ? "Bf16"
         : info.param == ReleaseType::kF32 ? "F32"
                                           : "Fp8";
}

class EachTypeTest : public ::testing::TestWithParam<ReleaseType> {};
INSTANTIATE_TEST_SUITE_P(All, EachTypeTest,
                         ::testing::Values(ReleaseType::kBf16, ReleaseType::kF32,
                                           ReleaseType::kFp8),
                         TypeName);

TEST_P(EachTypeTest, SameBytesFromAnyNumberOfThreads) {
  const NewFolder one, four;
  RandomCheckpointOptions options = SmallModel(one.path(), GetParam());
  options.num_threads = 1;
  ASSERT_OK_AND_ASSIGN(const RandomCheckpointSummary summary, WriteRandomCheckpoint(options));
  EXPECT_GT(summary.num_shards, 1u);
  options.folder = four.path();
  options.num_threads = 4;
  ASSERT_OK(WriteRandomCheckpoint(options));
  size_t num_files = 0;
  for (const auto& entry : fs::directory_iterator(one.path())) {
    const std::string file = entry.path().filename();
    EXPECT_EQ(one.Text(file), four.Text(file)) << file;
    ++num_files;
  }
  EXPECT_EQ(num_files, summary.num_shards + 2);  // config.json, the index
}

TEST_P(EachTypeTest, RunsAndSpreadsItsRouting) {
  const NewFolder folder;
  ASSERT_OK(WriteRandomCheckpoint(SmallModel(folder.path(), GetParam())));
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, LoadModelConfig(folder.path()));
  EXPECT_EQ(config.quantisation,
            GetParam() == ReleaseType::kFp8 ? Quantisation::kFp8Block128 : Quantisation::kNone);
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, worker::Checkpoint::Open(folder.path()));
  ASSERT_OK_AND_ASSIGN(const worker::ModelWeights weights,
                       worker::LoadModelWeights(*checkpoint, config));
  ASSERT_OK(worker::LoadMtpWeights(*checkpoint, config));
  ASSERT_OK_AND_ASSIGN(const kernels::Backend backend, kernels::BestBackend());
  ASSERT_OK_AND_ASSIGN(
      const auto cluster,
      worker::LocalCluster::Create(
          config, weights, {.executor = {.backend = backend, .num_blocks = 4, .num_slots = 1}}));
  StepPlan plan;
  constexpr int32_t kRows = 256;
  SequenceWork work = {.seq = SeqId{1}, .num_rows = kRows, .probe = Probe::kLogits};
  for (int32_t i = 0; i < kRows; ++i) work.ids.push_back(TokenId{i * 7 % config.vocab_size});
  for (int32_t i = 0; i < 4; ++i) work.new_blocks.push_back(BlockId{i});
  plan.start.push_back({.seq = SeqId{1}, .prompt_length = kRows, .max_new_tokens = 1});
  plan.work.push_back(work);
  const StepResult result = cluster->Step({plan}).at(0);
  ASSERT_OK(result.status);
  ASSERT_FALSE(result.probes.empty());
  for (const float logit : result.probes[0].logits) ASSERT_TRUE(std::isfinite(logit));
  // 256 rows, 4 of 24 experts each: all are touched, and none by more than 5 times its share.
  std::set<std::pair<int, int>> touched;
  for (const ExpertLoad& load : result.stats.expert_rows) {
    touched.emplace(load.layer, load.expert);
    EXPECT_LT(load.rows, 5u * kRows * 4 / 24) << "layer " << load.layer;
  }
  EXPECT_EQ(touched.size(), 4u * 24);
}

TEST(RandomCheckpointTest, SeedsGiveOtherWeights) {
  const NewFolder a, b;
  RandomCheckpointOptions options = SmallModel(a.path(), ReleaseType::kBf16);
  ASSERT_OK(WriteRandomCheckpoint(options));
  options.folder = b.path();
  options.seed = 8;
  ASSERT_OK_AND_ASSIGN(const RandomCheckpointSummary summary, WriteRandomCheckpoint(options));
  EXPECT_FALSE(summary.has_tokenizer);
  const std::string shard = fmt::format("model-00001-of-{:05}.safetensors", summary.num_shards);
  EXPECT_NE(a.Text(shard), b.Text(shard));
  EXPECT_EQ(a.Text(shard).size(), b.Text(shard).size());
}

TEST(RandomCheckpointTest, RefusesAFolderInUse) {
  const NewFolder folder;
  fs::create_directories(folder.path());
  std::ofstream(folder.path() + "/notes.txt") << "keep";
  EXPECT_STATUS(WriteRandomCheckpoint(SmallModel(folder.path(), ReleaseType::kBf16)),
                absl::StatusCode::kInvalidArgument, "is not empty; name a new folder");
  EXPECT_EQ(folder.Text("notes.txt"), "keep");
}

TEST(RandomCheckpointTest, RefusesWhatTheDiskCannotHold) {
  const NewFolder folder;
  RandomCheckpointOptions options = SmallModel(folder.path(), ReleaseType::kF32);
  options.config = PublishedConfig(1000);  // 3.4 TB
  options.shard_bytes_max = uint64_t{1} << 40;
  EXPECT_STATUS(WriteRandomCheckpoint(options), absl::StatusCode::kResourceExhausted,
                "the checkpoint needs");
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(RandomCheckpointTest, RefusesTooManyFiles) {
  const NewFolder folder;
  RandomCheckpointOptions options = SmallModel(folder.path(), ReleaseType::kFp8);
  options.shard_bytes_max = 1;
  EXPECT_STATUS(WriteRandomCheckpoint(options), absl::StatusCode::kInvalidArgument,
                "at most 500 are written");
  EXPECT_FALSE(fs::exists(folder.path()));
}

TEST(PublishedConfigTest, IsReadAsWritten) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, ParseModelConfig(PublishedConfig(40), "x"));
  EXPECT_EQ(config.num_layers_of(LayerType::kFullAttention), 10);
  EXPECT_EQ(config.layer_types[3], LayerType::kFullAttention);
  EXPECT_EQ(config.rope.rotary_dim, 64);
  EXPECT_EQ(config.rope.theta, 1e7);
  EXPECT_EQ(config.conv_channels(), 8192);
  ASSERT_OK_AND_ASSIGN(const GenerationConfig generation,
                       ParseGenerationConfig(PublishedGenerationConfig(), "x"));
  EXPECT_EQ(generation.eos_token_ids, (std::vector<int32_t>{248046, 248044}));
  EXPECT_EQ(generation.top_k, 20);
}

// The tables, the router and the small projections of a linear layer stay bf16 (docs/model.md 2.2).
TEST(PublishedConfigTest, ListsWhatFp8Keeps) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, ParseModelConfig(PublishedConfig(4), "x"));
  ASSERT_OK_AND_ASSIGN(const auto tensors,
                       worker::TrunkInventory(config, worker::StoredForm::kFp8));
  ASSERT_OK_AND_ASSIGN(const std::string text,
                       WithReleaseType(PublishedConfig(4), ReleaseType::kFp8, tensors));
  ASSERT_OK_AND_ASSIGN(const ModelConfig fp8, ParseModelConfig(text, "x"));
  EXPECT_EQ(fp8.quantisation, Quantisation::kFp8Block128);
  EXPECT_EQ(fp8.modules_to_not_convert.size(), 2u + 4 * 2 + 3 * 3);
  EXPECT_THAT(fp8.modules_to_not_convert,
              ::testing::IsSupersetOf({"lm_head", "model.language_model.layers.3.mlp.gate",
                                       "model.language_model.layers.0.linear_attn.conv1d"}));
}

}  // namespace
}  // namespace atl::tools
