#include "tools/random_checkpoint/tensors/values.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/status_matchers.h"

namespace atl::tools {
namespace {

constexpr size_t kCount = 1 << 16;

std::vector<float> Draw(uint64_t seed, const std::string& name, const Distribution& distribution) {
  std::vector<float> values(kCount);
  RandomValues(seed, name, distribution).Fill(0, values);
  return values;
}

struct Moments {
  double mean = 0.0, deviation = 0.0, low = 1e9, high = -1e9;
};
Moments MomentsOf(const std::vector<float>& values) {
  Moments m;
  for (const float v : values) {
    m.mean += v / static_cast<double>(values.size());
    m.low = std::min(m.low, double{v});
    m.high = std::max(m.high, double{v});
  }
  for (const float v : values)
    m.deviation += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

TEST(RandomValuesTest, APieceEqualsThatPartOfTheWhole) {
  const std::vector<float> whole = Draw(1, "a", {});
  for (const int64_t begin : {0, 2, 4096, 65000}) {
    std::vector<float> piece(535);
    RandomValues(1, "a", {}).Fill(begin, piece);
    EXPECT_TRUE(std::equal(piece.begin(), piece.end(), whole.begin() + begin)) << begin;
  }
}

TEST(RandomValuesTest, SeedsAndNamesDrawOtherNumbers) {
  const std::vector<float> values = Draw(1, "a", {});
  for (const auto& other : {Draw(2, "a", {}), Draw(1, "b", {})}) {
    double product = 0.0;
    for (size_t i = 0; i < kCount; ++i) product += values[i] * other[i] / double{kCount};
    EXPECT_LT(std::abs(product), 5.0 / std::sqrt(kCount));
  }
}

// 65,536 numbers: the mean is within 5 σ / 256, the deviation within 2 % of what was asked for.
TEST(RandomValuesTest, HaveTheMomentsAskedFor) {
  const Moments bell = MomentsOf(Draw(3, "x", {Distribution::Form::kBell, 0.3f, 2.0f}));
  EXPECT_NEAR(bell.mean, 0.3, 5.0 * 2.0 / 256.0);
  EXPECT_NEAR(bell.deviation, 2.0, 0.04);
  const Moments flat = MomentsOf(Draw(3, "x", {Distribution::Form::kUniform, -1.0f, 2.5f}));
  EXPECT_NEAR(flat.mean, -1.0, 5.0 * 2.5 / 256.0);
  EXPECT_NEAR(flat.deviation, 2.5 / std::sqrt(3.0), 0.03);
  EXPECT_GE(flat.low, -3.5);
  EXPECT_LE(flat.high, 1.5);
}

TEST(DistributionTest, OfEachKindOfTensor) {
  const auto of = [](const std::string& name, std::vector<int64_t> shape) {
    return DistributionOf({.name = name, .shape = std::move(shape)});
  };
  const std::string layer = "model.language_model.layers.0.";
  EXPECT_EQ(of("model.language_model.embed_tokens.weight", {9, 4}).spread, 1.0f);
  EXPECT_EQ(of("lm_head.weight", {9, 4}).spread, 1.5f);
  EXPECT_EQ(of(layer + "linear_attn.norm.weight", {4}).mean, 1.0f);
  EXPECT_EQ(of(layer + "post_attention_layernorm.weight", {4}).spread, 0.3f);
  EXPECT_EQ(of("mtp.pre_fc_norm_hidden.weight", {4}).spread, 0.3f);
  EXPECT_EQ(of(layer + "self_attn.k_norm.weight", {4}).mean, 0.3f);
  EXPECT_EQ(of(layer + "mlp.gate.weight", {9, 4}).spread, 2.0f);
  EXPECT_EQ(of(layer + "mlp.experts.gate_up_proj", {3, 9, 4}).spread, 0.5f);
  EXPECT_EQ(of(layer + "mlp.experts.7.down_proj.weight", {9, 4}).spread, 0.35f);
  EXPECT_EQ(of(layer + "linear_attn.conv1d.weight", {9, 1, 4}).mean, 0.2f);
  EXPECT_EQ(of(layer + "linear_attn.A_log", {9}).form, Distribution::Form::kUniform);
}

}  // namespace
}  // namespace atl::tools
