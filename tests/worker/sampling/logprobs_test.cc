#include "worker/sampling/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

class LogprobsTest : public ::testing::Test {
 protected:
  void SetUp() override { kernels::SetDenormalsToZero(); }
  TokenLogprobs Of(const std::vector<float>& logits, int32_t id, int32_t num_top) {
    return RawLogprobs(context_, logits, TokenId{id}, num_top).value();
  }
  kernels::KernelContext context_{kernels::Backend::kRef, nullptr};
};

std::vector<int32_t> TopIds(const TokenLogprobs& logprobs) {
  std::vector<int32_t> ids;
  for (const TokenLogprob& token : logprobs.top) ids.push_back(Value(token.id));
  return ids;
}

TEST_F(LogprobsTest, OfTheTokenAndTheLikeliest) {
  const std::vector<float> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f),
                                     std::log(0.3f)};
  const TokenLogprobs two = Of(logits, 2, 2);
  EXPECT_NEAR(two.logprob, std::log(0.2f), 1e-6f);
  EXPECT_EQ(two.rank, 3);
  EXPECT_EQ(TopIds(two), (std::vector<int32_t>{1, 3}));
  EXPECT_NEAR(two.top[0].logprob, std::log(0.4f), 1e-6f);
  EXPECT_NEAR(two.top[1].logprob, std::log(0.3f), 1e-6f);
  EXPECT_TRUE(Of(logits, 1, 0).top.empty());
  EXPECT_EQ(Of(logits, 1, 0).rank, 1);
  EXPECT_EQ(TopIds(Of(logits, 1, 20)), (std::vector<int32_t>{1, 3, 2, 0})) << "no more than are";
}

TEST_F(LogprobsTest, TiesGoToTheLowerIdAndShareARank) {
  const std::vector<float> logits = {0, 1, 1, 2, 1};
  EXPECT_EQ(TopIds(Of(logits, 4, 3)), (std::vector<int32_t>{3, 1, 2}));
  EXPECT_EQ(Of(logits, 4, 0).rank, 2);
  EXPECT_EQ(Of(logits, 1, 0).rank, 2);
  EXPECT_EQ(TopIds(Of({1, 2, 3, 4, 5}, 0, 3)), (std::vector<int32_t>{4, 3, 2})) << "ascending";
}

// Against sorting the row, for tokens within the likeliest and far below them.
TEST_F(LogprobsTest, RanksAndLikeliestOfRandomRows) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<float> logits(500);
    for (float& logit : logits) logit = static_cast<float>(random() % 200u);  // many ties
    std::vector<int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
    });
    for (const size_t place : {size_t{0}, size_t{4}, size_t{9}, size_t{10}, size_t{499}}) {
      const TokenLogprobs reported = Of(logits, order[place], 10);
      EXPECT_EQ(TopIds(reported), std::vector<int32_t>(order.begin(), order.begin() + 10));
      const float own = logits[static_cast<size_t>(order[place])];
      const auto first = std::find_if(order.begin(), order.end(), [&](int32_t id) {
        return logits[static_cast<size_t>(id)] == own;
      });
      EXPECT_EQ(reported.rank, first - order.begin() + 1);
      EXPECT_EQ(Of(logits, order[place], 0).rank, reported.rank);
    }
  }
}

TEST_F(LogprobsTest, TokensThatCannotBe) {
  const TokenLogprobs forbidden = Of({1, -kInf, 0}, 1, 3);
  EXPECT_EQ(forbidden.logprob, -kInf);
  EXPECT_EQ(forbidden.rank, 3);
  EXPECT_EQ(forbidden.top.back().logprob, -kInf);
  const TokenLogprobs padding = Of({1, 2}, 7, 1);
  EXPECT_EQ(padding.logprob, -kInf) << "beyond the candidates";
  EXPECT_EQ(padding.rank, 3);
}

TEST_F(LogprobsTest, BrokenLogitsAreRefused) {
  const std::vector<float> logits = {0, std::nanf(""), 1};
  EXPECT_STATUS(RawLogprobs(context_, logits, TokenId{0}, 1), absl::StatusCode::kDataLoss,
                "not a number");
}

}  // namespace
}  // namespace atl::worker
