#include "worker/weights/inventory.h"

#include <algorithm>
#include <set>

#include "tests/support/status_matchers.h"
#include "worker/weights/checkpoint.h"
#include "worker/weights/tensor_names.h"

namespace atl::worker {
namespace {

using Kind = ExpectedTensor::Kind;

// Sizes of Qwen3.6-35B-A3B (docs/model.md 1.2); nothing else of a config matters here.
ModelConfig RealConfig() {
  ModelConfig config = {.vocab_size = 248320,
                        .hidden_size = 2048,
                        .num_attention_heads = 16,
                        .num_kv_heads = 2,
                        .head_dim = 256,
                        .linear_num_key_heads = 16,
                        .linear_num_value_heads = 32,
                        .linear_key_dim = 128,
                        .linear_value_dim = 128,
                        .conv_kernel = 4,
                        .num_experts = 256,
                        .num_experts_per_token = 8,
                        .moe_intermediate = 512,
                        .shared_intermediate = 512};
  for (int i = 0; i < 40; ++i) {
    config.layer_types.push_back(i % 4 == 3 ? LayerType::kFullAttention
                                            : LayerType::kLinearAttention);
  }
  return config;
}

int64_t NumElements(const std::vector<ExpectedTensor>& tensors) {
  int64_t sum = 0;
  for (const ExpectedTensor& tensor : tensors) sum += tensor.num_elements();
  return sum;
}

// The published counts of the bf16 release, less its 333 tensors of vision; parameters of
// docs/model.md 11.1.
TEST(InventoryTest, OfTheReleaseInBf16) {
  ASSERT_OK_AND_ASSIGN(const auto trunk, TrunkInventory(RealConfig(), StoredForm::kFused));
  ASSERT_OK_AND_ASSIGN(const auto mtp, MtpInventory(RealConfig(), StoredForm::kFused));
  EXPECT_EQ(mtp.size(), 19u);
  EXPECT_EQ(trunk.size() + mtp.size(), 1045u - 333u);
  EXPECT_EQ(NumElements(trunk), 34'660'610'688);
  EXPECT_EQ(NumElements(mtp), 844'640'768);
}

TEST(InventoryTest, OfTheReleaseInFp8) {
  ASSERT_OK_AND_ASSIGN(const auto trunk, TrunkInventory(RealConfig(), StoredForm::kFp8));
  ASSERT_OK_AND_ASSIGN(const auto mtp, MtpInventory(RealConfig(), StoredForm::kFp8));
  EXPECT_EQ(mtp.size(), 1560u);
  EXPECT_EQ(trunk.size() + mtp.size(), 64196u - 333u);
  for (size_t i = 0; i < mtp.size(); ++i) {
    if (mtp[i].kind != Kind::kFp8Matrix) continue;
    ASSERT_EQ(mtp[i + 1].kind, Kind::kFp8Scales);
    EXPECT_EQ(mtp[i + 1].name, ScaleNameOf(mtp[i].name));
    EXPECT_EQ(mtp[i].shape[0], 128 * mtp[i + 1].shape[0]);
  }
}

TEST(InventoryTest, NamesAreThoseOfTheFiles) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, LoadModelConfig("tools/nano/checkpoint"));
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open("tools/nano/checkpoint"));
  ASSERT_OK_AND_ASSIGN(auto tensors, TrunkInventory(config, StoredForm::kFused));
  ASSERT_OK_AND_ASSIGN(const auto mtp, MtpInventory(config, StoredForm::kFused));
  tensors.insert(tensors.end(), mtp.begin(), mtp.end());
  const StoredTensors& stored = checkpoint->files().front()->tensors();
  EXPECT_EQ(stored.size(), tensors.size());
  for (const ExpectedTensor& tensor : tensors) {
    const auto it = stored.find(tensor.name);
    ASSERT_NE(it, stored.end()) << tensor.name;
    EXPECT_EQ(it->second.shape, tensor.shape) << tensor.name;
  }
}

TEST(InventoryTest, ATiedHeadIsNoTensor) {
  ModelConfig config = RealConfig();
  config.tie_word_embeddings = true;
  ASSERT_OK_AND_ASSIGN(const auto tensors, TrunkInventory(config, StoredForm::kOneByOne));
  const auto named = [&](const std::string& name) {
    return std::any_of(tensors.begin(), tensors.end(),
                       [&](const ExpectedTensor& tensor) { return tensor.name == name; });
  };
  EXPECT_FALSE(named("lm_head.weight"));
  EXPECT_TRUE(named("model.language_model.embed_tokens.weight"));
  EXPECT_TRUE(named("model.language_model.layers.39.mlp.experts.255.down_proj.weight"));
  EXPECT_FALSE(named("model.language_model.layers.39.mlp.experts.down_proj"));
}

}  // namespace
}  // namespace atl::worker
