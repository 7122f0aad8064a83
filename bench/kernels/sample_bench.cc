#include <algorithm>

#include "bench/kernels/pages.h"
#include "kernels/ops/log_softmax/log_softmax.h"
#include "kernels/ops/sample/sample.h"
#include "worker/sampling/sampler.h"

namespace atl::kernels {
namespace {

constexpr int64_t kVocab = 248320;

// A row as a head gives it: a bell of deviation 2 around 0 and a few that stand out.
std::vector<float> LogitsOf(int64_t count) {
  std::vector<float> logits(static_cast<size_t>(count));
  uint64_t state = 1;
  for (float& logit : logits) {
    float sum = 0.0f;
    for (int i = 0; i < 12; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      sum += static_cast<float>(state >> 40) * 0x1p-24f;
    }
    logit = 2.0f * (sum - 6.0f);
  }
  for (size_t i = 0; i < 20; ++i) logits[i * 12007] = 18.0f - 0.3f * static_cast<float>(i);
  return logits;
}

void Draw(benchmark::State& state, const SampleParams& params) {
  SetDenormalsToZero();
  KernelContext context(BestBackend().value(), nullptr);
  const std::vector<float> logits = LogitsOf(kVocab);
  int64_t position = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(SampleToken(context, 0, logits, params, position++).value());
}
BENCHMARK_CAPTURE(Draw, greedy, SampleParams{.temperature = 0.0f})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Draw, plain, SampleParams{})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Draw, hot, SampleParams{.temperature = 2.0f})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Draw, top_k_20_top_p, SampleParams{.top_k = 20, .top_p = 0.95f})
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Draw, hot_top_p, SampleParams{.temperature = 2.0f, .top_p = 0.95f})
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Draw, hot_min_p, SampleParams{.temperature = 2.0f, .min_p = 0.05f})
    ->Unit(benchmark::kMicrosecond);

template <Backend kPage>
void BM_LogSoftmax(benchmark::State& state) {
  if (!PageRuns(state, kPage)) return;
  const std::vector<float> logits = LogitsOf(kVocab);
  const KernelContext context(kPage, nullptr);
  for (auto _ : state) benchmark::DoNotOptimize(NormalizeLogits(context, logits).value());
}
ATOLL_BENCH_ON_PAGES(BM_LogSoftmax, Unit(benchmark::kMicrosecond));

// What a worker does for one drawn token with Qwen's filters, from the row of the head on.
void Answer(benchmark::State& state, const StartSequence& start) {
  SetDenormalsToZero();
  KernelContext context(BestBackend().value(), nullptr);
  const std::vector<float> raw = LogitsOf(kVocab);
  std::vector<float> logits(raw);
  TokenCounts counts(0);
  for (int32_t position = 0; position < 4000; ++position) {
    const TokenId id{position * 31 % 1500};
    counts.Extend(position, {&id, 1});
  }
  int64_t position = 0;
  for (auto _ : state) {
    std::copy(raw.begin(), raw.end(), logits.begin());
    benchmark::DoNotOptimize(
        DrawToken(context, 0, {.start = start, .counts = &counts, .position = position++}, logits)
            .value());
  }
}
const SamplingParams kQwen = {.temperature = 0.7f, .top_k = 20, .top_p = 0.8f};
const SamplingParams kPenalised = {.temperature = 0.7f,
                                   .top_k = 20,
                                   .top_p = 0.8f,
                                   .presence_penalty = 1.5f,
                                   .repetition_penalty = 1.1f};
BENCHMARK_CAPTURE(Answer, plain, StartSequence{.sampling = kQwen})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Answer, penalties, StartSequence{.sampling = kPenalised})
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Answer, logprobs, StartSequence{.sampling = kQwen, .top_logprobs = 20})
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(Answer, penalties_and_logprobs,
                  StartSequence{.sampling = kPenalised, .top_logprobs = 20})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace atl::kernels
