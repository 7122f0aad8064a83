#include "worker/sampling/logits_processors.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

namespace atl::worker {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Prompt 0 1, answer 1 2 2.
TokenCounts SomeCounts() {
  TokenCounts counts(2);
  counts.Extend(0,
                std::vector<TokenId>{TokenId{0}, TokenId{1}, TokenId{1}, TokenId{2}, TokenId{2}});
  return counts;
}

std::vector<float> Processed(const ProcessorInput& input, std::vector<float> logits) {
  ProcessLogits(input, logits);
  return logits;
}

TEST(LogitsProcessorsTest, NothingIsOnByDefault) {
  const SamplingParams params = {.temperature = 0.3f, .top_k = 3, .top_p = 0.5f, .min_p = 0.2f};
  const std::vector<TokenId> stops = {TokenId{1}};
  EXPECT_FALSE(HasProcessors({.params = params, .stop_ids = stops}));
  EXPECT_EQ(Processed({.params = params, .stop_ids = stops}, {1, 2, -3}),
            (std::vector<float>{1, 2, -3}));
}

TEST(LogitsProcessorsTest, BiasIsAdded) {
  const SamplingParams params = {
      .logit_bias = {{TokenId{2}, 1.5f}, {TokenId{0}, -100.0f}, {TokenId{9}, 5.0f}}};
  EXPECT_TRUE(HasProcessors({.params = params}));
  EXPECT_EQ(Processed({.params = params}, {1, 2, -3}), (std::vector<float>{-99, 2, -1.5f}));
}

TEST(LogitsProcessorsTest, StopIdsWaitForMinTokens) {
  const SamplingParams params = {.min_tokens = 3, .logit_bias = {{TokenId{1}, 100.0f}}};
  const std::vector<TokenId> stops = {TokenId{1}, TokenId{2}, TokenId{77}};
  for (const int32_t num_sampled : {0, 2}) {
    EXPECT_EQ(
        Processed({.params = params, .stop_ids = stops, .num_sampled = num_sampled}, {1, 2, 3}),
        (std::vector<float>{1, -kInf, -kInf}))
        << "a bias brings nothing back";
  }
  EXPECT_EQ(Processed({.params = params, .stop_ids = stops, .num_sampled = 3}, {1, 2, 3}),
            (std::vector<float>{1, 102, 3}));
}

TEST(LogitsProcessorsTest, RepetitionLooksAtPromptAndAnswer) {
  const SamplingParams params = {.repetition_penalty = 2.0f};
  const TokenCounts counts = SomeCounts();
  EXPECT_EQ(Processed({.params = params, .counts = &counts}, {4, -1, 0, 4}),
            (std::vector<float>{2, -2, 0, 4}));
}

TEST(LogitsProcessorsTest, FrequencyAndPresenceLookAtTheAnswer) {
  const TokenCounts counts = SomeCounts();
  const SamplingParams frequency = {.frequency_penalty = 0.5f};
  EXPECT_EQ(Processed({.params = frequency, .counts = &counts}, {4, 4, 4, 4}),
            (std::vector<float>{4, 3.5f, 3, 4}));
  const SamplingParams presence = {.presence_penalty = -0.5f};
  EXPECT_EQ(Processed({.params = presence, .counts = &counts}, {4, 4, 4, 4}),
            (std::vector<float>{4, 4.5f, 4.5f, 4}));
}

TEST(LogitsProcessorsTest, BiasThenRepetitionThenTheOthers) {
  const TokenCounts counts = SomeCounts();
  const SamplingParams params = {.presence_penalty = 1.0f,
                                 .frequency_penalty = 0.5f,
                                 .repetition_penalty = 2.0f,
                                 .logit_bias = {{TokenId{0}, 6.0f}, {TokenId{2}, -2.0f}}};
  // 0: (−4 + 6) / 2. 1: 3 / 2 − 0.5 − 1. 2: (1 − 2) · 2 − 1 − 1. 3: untouched.
  EXPECT_EQ(Processed({.params = params, .counts = &counts}, {-4, 3, 1, 3}),
            (std::vector<float>{1, 0, -4, 3}));
}

TEST(LogitsProcessorsTest, InfinitiesStay) {
  const TokenCounts counts = SomeCounts();
  const SamplingParams params = {.presence_penalty = 1.0f,
                                 .frequency_penalty = -2.0f,
                                 .repetition_penalty = 3.0f,
                                 .logit_bias = {{TokenId{1}, -100.0f}}};
  EXPECT_EQ(Processed({.params = params, .counts = &counts}, {-kInf, kInf, -kInf, kInf}),
            (std::vector<float>{-kInf, kInf, -kInf, kInf}));
}

// Written once more from vLLM's description, in double and over dense arrays.
std::vector<double> Reference(const SamplingParams& params, const std::vector<int>& in_prompt,
                              const std::vector<int>& in_answer, const std::vector<float>& logits) {
  std::vector<double> result(logits.begin(), logits.end());
  for (const LogitBias& bias : params.logit_bias)
    result[static_cast<size_t>(Value(bias.id))] += double{bias.bias};
  for (size_t i = 0; i < result.size(); ++i) {
    if (in_prompt[i] + in_answer[i] > 0) {
      if (result[i] > 0.0) {
        result[i] /= double{params.repetition_penalty};
      } else {
        result[i] *= double{params.repetition_penalty};
      }
    }
    result[i] -= double{params.frequency_penalty} * in_answer[i];
    result[i] -= double{params.presence_penalty} * (in_answer[i] > 0 ? 1 : 0);
  }
  return result;
}

TEST(LogitsProcessorsTest, AgreesWithAReferenceInDouble) {
  std::mt19937 random(17);
  const auto uniform = [&](float from, float to) {
    return from + (to - from) * static_cast<float>(random() % 10000u) / 10000.0f;
  };
  constexpr int kVocab = 300;
  for (int round = 0; round < 200; ++round) {
    SamplingParams params = {.presence_penalty = uniform(-2, 2),
                             .frequency_penalty = uniform(-2, 2),
                             .repetition_penalty = uniform(0.5f, 2)};
    for (int i = 0; i < 20; ++i) params.logit_bias.push_back({TokenId{i * 13}, uniform(-10, 10)});
    std::vector<float> logits;
    for (int i = 0; i < kVocab; ++i) logits.push_back(uniform(-20, 20));
    const int prompt_length = 1 + static_cast<int>(random() % 60u);
    std::vector<int> in_prompt(kVocab), in_answer(kVocab);
    TokenCounts counts(prompt_length);
    for (int position = 0; position < 100; ++position) {
      const int id = static_cast<int>(random() % 90u);
      ++(position < prompt_length ? in_prompt : in_answer)[static_cast<size_t>(id)];
      counts.Extend(position, std::vector<TokenId>{TokenId{id}});
    }
    const std::vector<double> expected = Reference(params, in_prompt, in_answer, logits);
    const std::vector<float> actual = Processed({.params = params, .counts = &counts}, logits);
    // At most five roundings of numbers below 256 (20 + 10, doubled, 2 · 100 times).
    constexpr double kTolerance = 5 * 256 * 0x1p-24;
    for (size_t i = 0; i < logits.size(); ++i)
      ASSERT_NEAR(double{actual[i]}, expected[i], kTolerance) << "round " << round << " id " << i;
  }
}

}  // namespace
}  // namespace atl::worker
