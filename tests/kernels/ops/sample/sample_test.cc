#include "kernels/ops/sample/sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/ops/sample/philox.h"
#include "tests/kernels/ops/kernel_fixtures.h"
#include "tests/support/status_matchers.h"

namespace atl::kernels {
namespace {

std::vector<float> Logs(std::initializer_list<float> probabilities) {
  std::vector<float> logits;
  for (const float p : probabilities) logits.push_back(std::log(p));
  return logits;
}

std::vector<int> Ids(const std::vector<Candidate>& candidates) {
  std::vector<int> ids;
  for (const Candidate& candidate : candidates) ids.push_back(Value(candidate.id));
  return ids;
}

// The published known answers of Philox4x32-10 (Random123, kat_vectors).
TEST(PhiloxTest, PublishedVectors) {
  using Words = std::array<uint32_t, 4>;
  constexpr uint32_t kOnes = 0xffffffffu;
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
  EXPECT_EQ(Philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
  EXPECT_EQ(
      Philox4x32({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u}),
      (Words{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

TEST(PhiloxTest, UniformIsAFunctionOfSeedAndPosition) {
  EXPECT_EQ(PhiloxUniform(0, 0), static_cast<float>(0x6627e8d5u >> 8) * 0x1p-24f);
  EXPECT_NE(PhiloxUniform(1, 0), PhiloxUniform(0, 1));
  EXPECT_NE(PhiloxUniform(uint64_t{1} << 32, 0), PhiloxUniform(0, 0));
  double sum = 0.0;
  for (int64_t i = 0; i < 10000; ++i) {
    const float u = PhiloxUniform(42, i);
    ASSERT_TRUE(u >= 0.0f && u < 1.0f);
    sum += u;
  }
  // The mean of 10,000 has a deviation of 0.0029.
  EXPECT_NEAR(sum / 10000.0, 0.5, 0.015);
}

class SampleTest : public KernelTest {
 protected:
  KernelContext context_{GetParam(), nullptr};
};

TEST_P(SampleTest, GreedyTakesTheFirstLargest) {
  const std::vector<float> logits = {1, 5, 3, 5, -INFINITY};
  ASSERT_OK_AND_ASSIGN(const TokenId id,
                       SampleToken(context_, 0, logits, {.temperature = 0.0f}, 9));
  EXPECT_EQ(id, TokenId{1});
  ASSERT_OK_AND_ASSIGN(const auto candidates,
                       FilterCandidates(context_, logits, {.temperature = 0.0f}));
  ASSERT_EQ(candidates.size(), 1u);
  EXPECT_EQ(candidates[0].probability, 1.0f);
}

TEST_P(SampleTest, FiltersInOrder) {
  const std::vector<float> logits = Logs({0.1f, 0.4f, 0.2f, 0.3f});
  ASSERT_OK_AND_ASSIGN(auto all, FilterCandidates(context_, logits, {}));
  EXPECT_EQ(Ids(all), (std::vector<int>{1, 3, 2, 0}));
  EXPECT_NEAR(all[0].probability, 0.4f, 1e-6f);
  EXPECT_NEAR(all[3].probability, 0.1f, 1e-6f);
  ASSERT_OK_AND_ASSIGN(auto two, FilterCandidates(context_, logits, {.top_k = 2}));
  EXPECT_EQ(Ids(two), (std::vector<int>{1, 3}));
  EXPECT_NEAR(two[0].probability, 4.0f / 7.0f, 1e-6f);
  // 0.4 + 0.3 falls short of 0.75, so 0.2 comes along.
  ASSERT_OK_AND_ASSIGN(auto nucleus, FilterCandidates(context_, logits, {.top_p = 0.75f}));
  EXPECT_EQ(Ids(nucleus), (std::vector<int>{1, 3, 2}));
  EXPECT_NEAR(nucleus[2].probability, 2.0f / 9.0f, 1e-6f);
  // top_p looks at what top_k left: 4/7 reaches a half.
  ASSERT_OK_AND_ASSIGN(auto both, FilterCandidates(context_, logits, {.top_k = 2, .top_p = 0.5f}));
  EXPECT_EQ(Ids(both), (std::vector<int>{1}));
  ASSERT_OK_AND_ASSIGN(auto tiny, FilterCandidates(context_, logits, {.top_p = 1e-6f}));
  EXPECT_EQ(Ids(tiny), (std::vector<int>{1})) << "at least one";
  // Temperature 0.5 squares the probabilities.
  ASSERT_OK_AND_ASSIGN(auto cold, FilterCandidates(context_, logits, {.temperature = 0.5f}));
  EXPECT_NEAR(cold[0].probability, 0.16f / 0.30f, 1e-6f);
}

TEST_P(SampleTest, MinPComesBeforeTopKAndTopP) {
  const std::vector<float> logits = Logs({0.1f, 0.4f, 0.2f, 0.3f});
  // 0.2 / 0.4 is a half: kept at a half, gone just above it.
  ASSERT_OK_AND_ASSIGN(auto half, FilterCandidates(context_, logits, {.min_p = 0.499f}));
  EXPECT_EQ(Ids(half), (std::vector<int>{1, 3, 2}));
  EXPECT_NEAR(half[0].probability, 4.0f / 9.0f, 1e-6f);
  ASSERT_OK_AND_ASSIGN(auto above, FilterCandidates(context_, logits, {.min_p = 0.501f}));
  EXPECT_EQ(Ids(above), (std::vector<int>{1, 3}));
  // Temperature first: squared, 0.3 is 9/16 of 0.4.
  ASSERT_OK_AND_ASSIGN(auto cold,
                       FilterCandidates(context_, logits, {.temperature = 0.5f, .min_p = 0.57f}));
  EXPECT_EQ(Ids(cold), (std::vector<int>{1}));
  ASSERT_OK_AND_ASSIGN(auto k, FilterCandidates(context_, logits, {.top_k = 2, .min_p = 0.3f}));
  EXPECT_EQ(Ids(k), (std::vector<int>{1, 3}));
  // top_p looks at what min_p left: 4/9 falls short of a half.
  ASSERT_OK_AND_ASSIGN(auto p,
                       FilterCandidates(context_, logits, {.top_p = 0.5f, .min_p = 0.499f}));
  EXPECT_EQ(Ids(p), (std::vector<int>{1, 3}));
  ASSERT_OK_AND_ASSIGN(auto ties,
                       FilterCandidates(context_, std::vector<float>{1, 2, 2, 0}, {.min_p = 1.0f}));
  EXPECT_EQ(Ids(ties), (std::vector<int>{1, 2}));
  ASSERT_OK_AND_ASSIGN(
      auto one, FilterCandidates(context_, std::vector<float>{1, INFINITY}, {.min_p = 0.1f}));
  EXPECT_EQ(Ids(one), (std::vector<int>{1}));
}

// Leaving tokens out before the sort is only a way: over many random rows, what min_p keeps are
// the tokens whose weight is at least min_p.
TEST_P(SampleTest, MinPKeepsByWeight) {
  Numbers numbers(8);
  for (const float temperature : {0.4f, 1.0f, 3.0f}) {
    for (const float min_p : {1e-6f, 0.01f, 0.2f, 0.9f}) {
      const std::vector<float> logits = numbers.Many(2000, 12.0f);
      const float largest = *std::max_element(logits.begin(), logits.end());
      const auto expected = std::count_if(logits.begin(), logits.end(), [&](float logit) {
        return ref::ExpOne((logit - largest) / temperature) >= min_p;
      });
      ASSERT_OK_AND_ASSIGN(
          const auto kept,
          FilterCandidates(context_, logits, {.temperature = temperature, .min_p = min_p}));
      EXPECT_EQ(static_cast<int64_t>(kept.size()), expected) << temperature << " " << min_p;
    }
  }
}

TEST_P(SampleTest, TiesGoToTheLowerIdAndForbiddenTokensAreAbsent) {
  const std::vector<float> logits = {0, 1, -INFINITY, 1, 0, 1};
  ASSERT_OK_AND_ASSIGN(const auto all, FilterCandidates(context_, logits, {}));
  EXPECT_EQ(Ids(all), (std::vector<int>{1, 3, 5, 0, 4}));
  ASSERT_OK_AND_ASSIGN(const auto two, FilterCandidates(context_, logits, {.top_k = 2}));
  EXPECT_EQ(Ids(two), (std::vector<int>{1, 3}));
}

// The definition: all candidates sorted, the first of those that reach top_p whose cumulative sum
// is above u · total.
struct Definition {
  Definition(const std::vector<float>& logits, float temperature) : order(logits.size()) {
    std::iota(order.begin(), order.end(), 0);
    const auto at = [&](int i) { return logits[static_cast<size_t>(i)]; };
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return at(a) > at(b); });
    float sum = 0.0f;
    for (const int i : order) {
      sum += ref::ExpOne((at(i) - at(order[0])) / temperature);
      sums.push_back(sum);
    }
  }
  TokenId Sampled(float top_p, float u) const {
    float total = sums.back();
    if (top_p < 1.0f) {
      const float wanted = top_p * total;
      total = *std::find_if(sums.begin(), sums.end(), [&](float sum) { return sum >= wanted; });
    }
    const auto sampled =
        std::find_if(sums.begin(), sums.end(), [&](float sum) { return sum > u * total; });
    return TokenId{order[static_cast<size_t>(sampled - sums.begin())]};
  }
  std::vector<int> order;
  std::vector<float> sums;  // cumulative
};

// Neither what is left out as negligible nor what is left unsorted changes a sample: wide and
// narrow spreads, few tokens and many, rows full of ties, tokens that are masked, one far above the
// rest.
TEST_P(SampleTest, SamplesAreThoseOfTheDefinition) {
  Numbers numbers(3);
  for (const size_t count : {1, 2, 50, 3000, 20000}) {
    for (const float scale : {0.0f, 1e-5f, 1.0f, 40.0f}) {
      std::vector<float> logits = numbers.Many(count, scale);
      if (count == 3000)
        for (float& logit : logits) logit = std::round(logit);
      if (count > 3) logits[3] = -INFINITY;
      if (count == 20000) logits[10000] = 9.0f;
      for (const float temperature : {1e-6f, 0.3f, 1.0f, 5.0f, 100.0f, 1e37f}) {
        SCOPED_TRACE(::testing::Message() << count << " of " << scale << " at " << temperature);
        const Definition definition(logits, temperature);
        for (const float top_p : {1.0f, 0.9f, 0.3f, 1e-7f}) {
          for (int64_t position = 0; position < 10; ++position) {
            ASSERT_OK_AND_ASSIGN(
                const TokenId id,
                SampleToken(context_, 0, logits,
                            {.temperature = temperature, .top_p = top_p, .seed = 7}, position));
            ASSERT_EQ(id, definition.Sampled(top_p, PhiloxUniform(7, position))) << top_p;
          }
        }
      }
    }
  }
}

// Sums that stand half way between two floats, where the order of additions enters: weights that
// are exact halves of the last place of a sum.
TEST_P(SampleTest, TiesInRoundingFollowTheOrder) {
  Numbers numbers(4);
  for (int round = 0; round < 20; ++round) {
    std::vector<float> logits;
    for (int i = 0; i < 2000; ++i)
      logits.push_back(std::log(2.0f) * static_cast<float>(-numbers.Below(26)));
    const Definition definition(logits, 1.0f);
    for (int64_t position = 0; position < 50; ++position) {
      ASSERT_OK_AND_ASSIGN(const TokenId id,
                           SampleToken(context_, 0, logits, {.seed = 5}, position));
      ASSERT_EQ(id, definition.Sampled(1.0f, PhiloxUniform(5, position)));
    }
  }
}

// Selection, std::sort and radix agree with one sort of everything: sizes around each change of
// way, signs, zeros of either sign, ties, infinities.
TEST_P(SampleTest, CandidatesStandInOrderHoweverManyThereAre) {
  Numbers numbers(13);
  for (const size_t count : {3, 1023, 1024, 5000}) {
    std::vector<float> logits = numbers.Many(count, 3.0f);
    for (size_t i = 0; i < count; i += 3) logits[i] = static_cast<float>(numbers.Below(5) - 2);
    logits[0] = -0.0f;
    logits[1] = 0.0f;
    logits[count - 1] = -INFINITY;
    std::vector<int> order(count - 1);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
    });
    for (const int32_t top_k : {0, 1, 7, 1000, 1024, 1025, 4000, 9000}) {
      ASSERT_OK_AND_ASSIGN(const auto candidates,
                           FilterCandidates(context_, logits, {.top_k = top_k}));
      std::vector<int> expected = order;
      if (top_k > 0) expected.resize(std::min(expected.size(), static_cast<size_t>(top_k)));
      EXPECT_EQ(Ids(candidates), expected) << count << " " << top_k;
    }
    logits[count / 2] = INFINITY;
    ASSERT_OK_AND_ASSIGN(const auto infinite, FilterCandidates(context_, logits, {}));
    EXPECT_EQ(Value(infinite[0].id), static_cast<int>(count / 2));
    EXPECT_EQ(infinite[0].probability, 1.0f);
    EXPECT_EQ(infinite.size(), count - 1);
  }
}

TEST_P(SampleTest, SamplesFollowTheDistribution) {
  const std::vector<float> logits = Logs({0.1f, 0.4f, 0.2f, 0.3f});
  int counts[4] = {};
  constexpr int kDraws = 20000;
  for (int64_t position = 0; position < kDraws; ++position) {
    ASSERT_OK_AND_ASSIGN(const TokenId id,
                         SampleToken(context_, 0, logits, {.seed = 11}, position));
    ++counts[Value(id)];
  }
  // Five deviations of a binomial of 20,000 are at most 0.0177.
  const double expected[] = {0.1, 0.4, 0.2, 0.3};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(double{1} * counts[i] / kDraws, expected[i], 0.018);
}

TEST_P(SampleTest, TheThreadsModesDoNotEnterAndComeBack) {
  // A denormal logit is zero: with it, token 0 ties with token 1 and wins.
  const std::vector<float> logits = {0.0f, 1e-40f};
  _mm_setcsr(_mm_getcsr() & ~0x8040u);
  const auto id = SampleToken(context_, 0, logits, {.temperature = 0.0f}, 0);
  EXPECT_FALSE(DenormalsAreZero());
  SetDenormalsToZero();
  EXPECT_EQ(*id, TokenId{0});
}

TEST_P(SampleTest, RefusesParametersOutsideTheirRange) {
  const std::vector<float> logits = {1, 2};
  const auto expect = [&](const SampleParams& params, const char* text) {
    EXPECT_STATUS(SampleToken(context_, 0, logits, params, 0), absl::StatusCode::kInvalidArgument,
                  text);
  };
  expect({.temperature = -0.1f}, "temperature is -0.1");
  expect({.temperature = NAN}, "temperature is nan");
  expect({.temperature = INFINITY}, "temperature is inf");
  expect({.top_k = -1}, "top_k is -1");
  expect({.top_p = 0.0f}, "top_p is 0");
  expect({.top_p = 1.5f}, "top_p is 1.5");
  expect({.top_p = NAN}, "top_p is nan");
  expect({.min_p = -0.1f}, "min_p is -0.1");
  expect({.min_p = 1.1f}, "min_p is 1.1");
  expect({.min_p = NAN}, "min_p is nan");
  EXPECT_STATUS(SampleToken(context_, 0, std::vector<float>{1.0f, NAN}, {}, 0),
                absl::StatusCode::kDataLoss, "the logit of token 1 is not a number");
  EXPECT_STATUS(SampleToken(context_, 0, std::vector<float>(3, -INFINITY), {}, 0),
                absl::StatusCode::kInvalidArgument, "all 3 logits are -inf");
  EXPECT_STATUS(SampleToken(context_, 0, {}, {}, 0), absl::StatusCode::kInvalidArgument,
                "0 logits");
}

ATOLL_INSTANTIATE_ON_ISAS(SampleTest);

}  // namespace
}  // namespace atl::kernels
