#include "worker/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

class SamplerTest : public ::testing::Test {
 protected:
  void SetUp() override { kernels::SetDenormalsToZero(); }
  absl::StatusOr<SampledToken> Sample(const StartSequence& start, std::vector<float> logits,
                                      int64_t position = 9, const TokenCounts* counts = nullptr) {
    return SampleNext(context_, 0, {.start = start, .counts = counts, .position = position},
                      logits);
  }
  kernels::KernelContext context_{kernels::Backend::kRef, nullptr};
};

TEST_F(SamplerTest, GreedyTakesTheFirstLargest) {
  const StartSequence start = {.sampling = {.temperature = 0.0f}};
  EXPECT_EQ(Sample(start, {0.5f, 2.0f, -1.0f, 2.0f})->id, TokenId{1});
  EXPECT_FALSE(Sample(start, {0.5f, 2.0f})->logprobs.has_value());
}

TEST_F(SamplerTest, GreedyLooksAtWhatProcessorsLeft) {
  const StartSequence start = {
      .stop_ids = {TokenId{1}},
      .sampling = {.temperature = 0.0f, .min_tokens = 1, .logit_bias = {{TokenId{2}, 5.0f}}},
      .top_logprobs = 1};
  ASSERT_OK_AND_ASSIGN(const SampledToken sampled, Sample(start, {0.5f, 2.0f, -1.0f, 2.0f}));
  EXPECT_EQ(sampled.id, TokenId{2});
  ASSERT_TRUE(sampled.logprobs.has_value());
  EXPECT_EQ(sampled.logprobs->rank, 4) << "log-probabilities are of the raw logits";
  EXPECT_EQ(sampled.logprobs->top[0].id, TokenId{1});
}

TEST_F(SamplerTest, ATokenDependsOnSeedAndPositionAlone) {
  std::vector<float> logits;
  for (int i = 0; i < 300; ++i) logits.push_back(static_cast<float>(i % 17) / 4.0f);
  const StartSequence start = {
      .sampling = {.temperature = 1.0f, .top_k = 40, .top_p = 0.95f, .seed = 123}};
  std::map<TokenId, int> seen;
  for (int64_t position = 0; position < 500; ++position) {
    const TokenId id = Sample(start, logits, position)->id;
    EXPECT_EQ(Sample(start, logits, position)->id, id);
    ++seen[id];
  }
  EXPECT_GT(seen.size(), 10u);
  EXPECT_LE(seen.size(), 40u);
}

TEST_F(SamplerTest, PaddingIsNeitherSampledNorCounted) {
  const StartSequence start = {
      .sampling = {.temperature = 0.0f}, .vocab_limit = 2, .top_logprobs = 20};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ASSERT_OK_AND_ASSIGN(const SampledToken sampled, Sample(start, {1.0f, 1.0f, 50.0f, nan}));
  EXPECT_EQ(sampled.id, TokenId{0});
  EXPECT_FLOAT_EQ(sampled.logprobs->logprob, std::log(0.5f));
  EXPECT_EQ(sampled.logprobs->top.size(), 2u);
}

TEST_F(SamplerTest, NaNEndsOnlyThisSequence) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const int32_t top_logprobs : {-1, 3}) {
    EXPECT_STATUS(Sample({.top_logprobs = top_logprobs}, {0.0f, nan}), absl::StatusCode::kDataLoss,
                  "not a number");
  }
  EXPECT_STATUS(Sample({.stop_ids = {TokenId{0}}, .sampling = {.min_tokens = 1}}, {0.0f}),
                absl::StatusCode::kInvalidArgument, "no token is allowed");
}

// Penalties, filters and softmax once more, in double, the plain way.
std::vector<double> Reference(const SamplingParams& params, const std::vector<int>& in_answer,
                              const std::vector<float>& logits, double* margin) {
  struct Entry {
    size_t id;
    double logit, probability;
  };
  std::vector<Entry> entries;
  for (size_t i = 0; i < logits.size(); ++i) {
    double logit = logits[i];
    if (in_answer[i] > 0) {
      logit = logit > 0 ? logit / double{params.repetition_penalty}
                        : logit * double{params.repetition_penalty};
      logit -= double{params.frequency_penalty} * in_answer[i] + double{params.presence_penalty};
    }
    entries.push_back({i, logit / double{params.temperature}, 0.0});
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.logit > b.logit; });
  const double largest = entries[0].logit;
  size_t kept = 0;
  const auto decide = [&](double value, double bound) {
    *margin = std::min(*margin, std::abs(value - bound));
    return value >= bound;
  };
  while (kept < entries.size() &&
         (params.min_p == 0.0f ||
          decide(std::exp(entries[kept].logit - largest), double{params.min_p})))
    ++kept;
  if (params.top_k > 0) kept = std::min(kept, static_cast<size_t>(params.top_k));
  entries.resize(kept);
  double total = 0.0;
  for (Entry& entry : entries) total += entry.probability = std::exp(entry.logit - largest);
  double sum = 0.0;
  for (kept = 0; kept < entries.size() && params.top_p < 1.0f;) {
    sum += entries[kept++].probability / total;
    if (decide(sum, double{params.top_p})) break;
  }
  if (params.top_p < 1.0f) entries.resize(kept);
  total = 0.0;
  for (const Entry& entry : entries) total += entry.probability;
  std::vector<double> probabilities(logits.size(), 0.0);
  for (const Entry& entry : entries) probabilities[entry.id] = entry.probability / total;
  return probabilities;
}

TEST_F(SamplerTest, DistributionsAgreeWithAReferenceInDouble) {
  std::mt19937 random(23);
  const auto uniform = [&](float from, float to) {
    return from + (to - from) * static_cast<float>(random() % 10000u) / 10000.0f;
  };
  int compared = 0;
  for (int round = 0; round < 300; ++round) {
    const StartSequence start = {.sampling = {.temperature = uniform(0.2f, 3.0f),
                                              .top_k = static_cast<int32_t>(random() % 3u) * 30,
                                              .top_p = round % 2 == 0 ? 1.0f : uniform(0.1f, 1.0f),
                                              .min_p = round % 3 == 0 ? 0.0f : uniform(0.0f, 0.3f),
                                              .presence_penalty = uniform(-2, 2),
                                              .frequency_penalty = uniform(-2, 2),
                                              .repetition_penalty = uniform(0.5f, 2)}};
    std::vector<float> logits;
    for (int i = 0; i < 200; ++i) logits.push_back(uniform(-8, 8));
    TokenCounts counts(0);
    std::vector<int> in_answer(logits.size());
    for (int position = 0; position < 50; ++position) {
      const int id = static_cast<int>(random() % 60u);
      ++in_answer[static_cast<size_t>(id)];
      counts.Extend(position, std::vector<TokenId>{TokenId{id}});
    }
    double margin = 1.0;
    const std::vector<double> expected = Reference(start.sampling, in_answer, logits, &margin);
    // Logits below 128 after five roundings, over a temperature of 0.2 at least, twice: the
    // exponent is off by 2 · 5 · 128 · 2^-24 / 0.2 = 4e-4, and so, relatively, is a probability.
    constexpr double kTolerance = 4e-4;
    if (margin < 2 * kTolerance) continue;  // rounding may decide otherwise
    ++compared;
    std::vector<double> actual(logits.size(), 0.0);
    ASSERT_OK_AND_ASSIGN(
        const auto candidates,
        SamplerDistribution(context_, {.start = start, .counts = &counts}, logits));
    for (const kernels::Candidate& candidate : candidates)
      actual[static_cast<size_t>(Value(candidate.id))] = double{candidate.probability};
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(actual[i], expected[i], 2 * kTolerance * expected[i]) << round << " id " << i;
    }
  }
  EXPECT_GT(compared, 250);
}

}  // namespace
}  // namespace atl::worker
