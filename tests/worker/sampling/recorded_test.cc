// What a token is sampled from, as transformers' processors gave it in float64
// (tools/golden/record_sampling.py).
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/status_matchers.h"
#include "worker/sampling/logprobs.h"
#include "worker/sampling/sampler.h"

namespace atl::worker {
namespace {

using Json = nlohmann::json;

constexpr char kRecording[] = "tests/worker/sampling/data/sampling.jsonl";

std::vector<TokenId> IdsOf(const Json& list) {
  std::vector<TokenId> ids;
  for (const Json& id : list) ids.push_back(TokenId{id.get<int32_t>()});
  return ids;
}

StartSequence StartOf(const Json& params) {
  StartSequence start;
  SamplingParams& sampling = start.sampling;
  sampling.temperature = params.value("temperature", sampling.temperature);
  sampling.top_k = params.value("top_k", sampling.top_k);
  sampling.top_p = params.value("top_p", sampling.top_p);
  sampling.min_p = params.value("min_p", sampling.min_p);
  sampling.presence_penalty = params.value("presence_penalty", sampling.presence_penalty);
  sampling.frequency_penalty = params.value("frequency_penalty", sampling.frequency_penalty);
  sampling.repetition_penalty = params.value("repetition_penalty", sampling.repetition_penalty);
  const Json biases = params.value("logit_bias", Json::object());
  for (const auto& [id, bias] : biases.items())
    sampling.logit_bias.push_back({TokenId{std::stoi(id)}, bias.get<float>()});
  return start;
}

TEST(RecordedSamplingTest, DistributionsAsTransformersGaveThem) {
  const kernels::KernelContext context(kernels::Backend::kRef, nullptr);
  std::ifstream file(kRecording);
  std::string line;
  int cases = 0;
  for (; std::getline(file, line); ++cases) {
    const Json recorded = Json::parse(line);
    const StartSequence start = StartOf(recorded["params"]);
    const std::vector<TokenId> prompt = IdsOf(recorded["prompt_ids"]);
    TokenCounts counts(static_cast<int32_t>(prompt.size()));
    counts.Extend(0, prompt);
    counts.Extend(static_cast<int64_t>(prompt.size()), IdsOf(recorded["output_ids"]));
    auto logits = recorded["logits"].get<std::vector<float>>();
    ASSERT_OK_AND_ASSIGN(const auto candidates,
                         SamplerDistribution(context, {.start = start, .counts = &counts}, logits));
    ASSERT_EQ(candidates.size(), recorded["probs"].size()) << cases;
    std::vector<double> actual(logits.size(), 0.0);
    for (const kernels::Candidate& candidate : candidates)
      actual[static_cast<size_t>(Value(candidate.id))] = double{candidate.probability};
    // Logits below 64 after five roundings, over a temperature of 0.3 at least, for the token and
    // for the sum: the exponent is off by 2 · 5 · 64 · 2^-24 / 0.3, and so, relatively, is e^x.
    constexpr double kTolerance = 2 * 5 * 64 * 0x1p-24 / 0.3;
    for (const Json& entry : recorded["probs"]) {
      const double expected = entry[1].get<double>();
      ASSERT_NEAR(actual[entry[0].get<size_t>()], expected, kTolerance * expected) << cases;
    }
  }
  EXPECT_EQ(cases, 60);
}

TEST(RecordedSamplingTest, RawLogProbabilitiesToo) {
  kernels::SetDenormalsToZero();
  const kernels::KernelContext context(kernels::BestBackend().value(), nullptr);
  std::ifstream file(kRecording);
  std::string line;
  int compared = 0;
  while (std::getline(file, line)) {
    const Json recorded = Json::parse(line);
    const auto logits = recorded["logits"].get<std::vector<float>>();
    for (size_t i = 0; i < logits.size(); ++i) {
      ASSERT_OK_AND_ASSIGN(const TokenLogprobs logprobs,
                           RawLogprobs(context, logits, TokenId{static_cast<int32_t>(i)}, 0));
      // Eight roundings of the sum of 48 numbers, one of the logarithm, one of numbers below 32.
      ASSERT_NEAR(double{logprobs.logprob}, recorded["logprobs"][i].get<double>(),
                  (8 + 4 + 32) * 0x1p-24);
      ++compared;
    }
  }
  EXPECT_EQ(compared, 60 * 48);
}

}  // namespace
}  // namespace atl::worker
