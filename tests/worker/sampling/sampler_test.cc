#include "worker/sampling/sampler.h"

#include <limits>
#include <map>
#include <vector>

#include "tests/support/status_matchers.h"

namespace atl {
namespace {

TEST(SamplerTest, GreedyTakesTheFirstLargest) {
  const std::vector<float> logits = {0.5f, 2.0f, -1.0f, 2.0f};
  EXPECT_EQ(DrawToken(logits, {.temperature = 0.0f}, 9).value(), TokenId{1});
}

TEST(SamplerTest, ATokenDependsOnSeedAndPositionAlone) {
  std::vector<float> logits;
  for (int i = 0; i < 300; ++i) logits.push_back(static_cast<float>(i % 17) / 4.0f);
  const SamplingParams params = {.temperature = 1.0f, .top_k = 40, .top_p = 0.95f, .seed = 123};
  std::map<TokenId, int> seen;
  for (int64_t position = 0; position < 500; ++position) {
    const TokenId id = DrawToken(logits, params, position).value();
    EXPECT_EQ(DrawToken(logits, params, position).value(), id);
    ++seen[id];
  }
  EXPECT_GT(seen.size(), 10u);
  EXPECT_LE(seen.size(), 40u);
}

TEST(SamplerTest, NaNEndsOnlyThisDraw) {
  const std::vector<float> logits = {0.0f, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_STATUS(DrawToken(logits, {.temperature = 1.0f}, 0), absl::StatusCode::kDataLoss,
                "not a number");
}

}  // namespace
}  // namespace atl
