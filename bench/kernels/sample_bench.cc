#include <algorithm>

#include "bench/kernels/kernel_bench.h"
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
  for (size_t i = 0; i < 20; ++i)
    logits[i * 12007 % logits.size()] = 18.0f - 0.3f * static_cast<float>(i);
  return logits;
}

void BenchSample(KernelBench& bench, const SampleParams& params) {
  const std::vector<float> logits = LogitsOf(bench.shape(0));
  int64_t position = 0;
  bench.Measure(
      [&] { return SampleToken(bench.context(), 0, logits, params, position++).status(); });
}
const std::vector<std::vector<int64_t>> kVocabularies = {{kVocab}, {1001}};

void BenchGreedy(KernelBench& bench) { BenchSample(bench, {.temperature = 0.0f}); }
ATOLL_KERNEL_BENCH(sample_greedy, BenchGreedy, {"vocab"}, kVocabularies);
void BenchPlain(KernelBench& bench) { BenchSample(bench, {}); }
ATOLL_KERNEL_BENCH(sample_plain, BenchPlain, {"vocab"}, kVocabularies);
void BenchHot(KernelBench& bench) { BenchSample(bench, {.temperature = 2.0f}); }
ATOLL_KERNEL_BENCH(sample_hot, BenchHot, {"vocab"}, kVocabularies);
void BenchTopK(KernelBench& bench) { BenchSample(bench, {.top_k = 20, .top_p = 0.95f}); }
ATOLL_KERNEL_BENCH(sample_top_k, BenchTopK, {"vocab"}, kVocabularies);
void BenchHotTopP(KernelBench& bench) { BenchSample(bench, {.temperature = 2.0f, .top_p = 0.95f}); }
ATOLL_KERNEL_BENCH(sample_hot_top_p, BenchHotTopP, {"vocab"}, kVocabularies);
void BenchHotMinP(KernelBench& bench) { BenchSample(bench, {.temperature = 2.0f, .min_p = 0.05f}); }
ATOLL_KERNEL_BENCH(sample_hot_min_p, BenchHotMinP, {"vocab"}, kVocabularies);

void BenchLogSoftmax(KernelBench& bench) {
  const std::vector<float> logits = LogitsOf(bench.shape(0));
  bench.Measure([&] { return NormalizeLogits(bench.context(), logits).status(); });
}
ATOLL_KERNEL_BENCH(log_softmax, BenchLogSoftmax, {"vocab"}, kVocabularies);

// What a worker does for one sampled token with Qwen's filters, from the row of the head on.
void Answer(benchmark::State& state, const StartSequence& start) {
  SetDenormalsToZero();
  KernelContext context(BestBackend().value(), nullptr);
  const std::vector<float> raw = LogitsOf(kVocab);
  std::vector<float> logits(raw);
  worker::TokenCounts counts(0);
  for (int32_t position = 0; position < 4000; ++position) {
    const TokenId id{position * 31 % 1500};
    counts.Extend(position, {&id, 1});
  }
  int64_t position = 0;
  for (auto _ : state) {
    std::copy(raw.begin(), raw.end(), logits.begin());
    benchmark::DoNotOptimize(
        worker::SampleNext(context, 0, {.start = start, .counts = &counts, .position = position++},
                           logits)
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
