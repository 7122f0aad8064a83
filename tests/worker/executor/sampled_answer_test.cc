// A seeded answer with everything on is the same, log-probabilities to the bit, alone and in a
// batch, however its prompt is cut, and when it is preempted and recomputed at any token.
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "tests/support/status_matchers.h"
#include "tests/worker/executor/stepped_sequences.h"

namespace atl::worker {
namespace {

constexpr char kFolder[] = "tests/golden/data/untied8";
constexpr int kPromptTokens = 75;
constexpr int kAnswerTokens = 24;
constexpr int kPadding = 3;

class SampledAnswerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(config_, LoadModelConfig(kFolder));
    ASSERT_OK_AND_ASSIGN(checkpoint_, Checkpoint::Open(kFolder));
    ASSERT_OK_AND_ASSIGN(weights_, LoadModelWeights(*checkpoint_, config_));
    ASSERT_OK_AND_ASSIGN(best_, kernels::BestBackend());
    reference_ = RunAlone(Everything(), Options());
    ASSERT_EQ(reference_.finish, FinishReason::kLength);
    ASSERT_EQ(reference_.ids.size(), size_t{kAnswerTokens});
    ASSERT_EQ(reference_.logprobs.size(), size_t{kAnswerTokens});
    ASSERT_EQ(reference_.prompt_logprobs.size(), size_t{kPromptTokens - 1});
  }

  ExecutorOptions Options() const {
    return {.backend = best_, .num_blocks = 64, .num_slots = 20, .num_spares = 20};
  }

  // Below what Everything calls padding.
  std::vector<TokenId> RandomIds(int count, uint32_t seed) const {
    std::mt19937 random(seed);
    std::vector<TokenId> ids;
    for (int i = 0; i < count; ++i) {
      const uint32_t id = random() % static_cast<uint32_t>(config_.vocab_size - kPadding);
      ids.push_back(TokenId{static_cast<int32_t>(id)});
    }
    return ids;
  }

  // Every processor and filter on, and every log-probability wanted.
  SteppedSequence Everything() const {
    return {.start = {.seq = SeqId{1},
                      .max_new_tokens = kAnswerTokens,
                      .sampling = {.temperature = 1.3f,
                                   .top_k = 60,
                                   .top_p = 0.97f,
                                   .min_p = 0.001f,
                                   .presence_penalty = 0.4f,
                                   .frequency_penalty = 0.3f,
                                   .repetition_penalty = 1.2f,
                                   .min_tokens = 5,
                                   .logit_bias = {{TokenId{7}, 2.0f}, {TokenId{9}, -3.0f}},
                                   .seed = 4711},
                      .vocab_limit = config_.vocab_size - kPadding,
                      .top_logprobs = 4,
                      .prompt_logprobs = true},
            .prompt = RandomIds(kPromptTokens, 1)};
  }

  // One of the sequences beside it: another prompt, length, home and way of drawing.
  SteppedSequence Neighbour(uint32_t i) const {
    SteppedSequence sequence = {
        .start = {.seq = SeqId{100 + i},
                  .max_new_tokens = 1000,
                  .sampling = {.temperature = 0.5f * static_cast<float>(i % 3u),
                               .frequency_penalty = i % 2 == 0 ? 0.5f : 0.0f,
                               .seed = i},
                  .top_logprobs = static_cast<int32_t>(i % 4u) - 1},
        .prompt = RandomIds(static_cast<int>(3 + 5 * i), i + 50),
        .chunk = static_cast<int32_t>(1 + 4 * i),
        .home = static_cast<int>(i % 2u)};
    sequence.start.prompt_logprobs = sequence.start.top_logprobs >= 0;
    return sequence;
  }

  std::unique_ptr<LocalCluster> MakeCluster(const ExecutorOptions& options, int num_workers = 1) {
    return LocalCluster::Create(config_, weights_,
                                {.num_workers = num_workers, .executor = options})
        .value();
  }

  SteppedSequence RunAlone(const SteppedSequence& sequence, const ExecutorOptions& options) {
    const auto cluster = MakeCluster(options);
    SteppedSequences sequences(*cluster, options);
    sequences.Add(sequence);
    sequences.RunToEnd(0);
    return sequences.at(0);
  }

  void ExpectSame(const SteppedSequence& sequence) const {
    EXPECT_EQ(sequence.ids, reference_.ids);
    EXPECT_EQ(sequence.finish, reference_.finish);
    EXPECT_EQ(BitsOf(sequence.logprobs), BitsOf(reference_.logprobs));
    EXPECT_EQ(BitsOf(sequence.prompt_logprobs), BitsOf(reference_.prompt_logprobs));
  }

  ModelConfig config_;
  std::unique_ptr<Checkpoint> checkpoint_;
  ModelWeights weights_;
  kernels::Backend best_{};
  SteppedSequence reference_;
};

// Row i of the sequence tells of token i + 1, in prompt and answer alike; padding has no part.
TEST_F(SampledAnswerTest, LogProbabilitiesAreOfTheRowBefore) {
  std::vector<TokenId> all = reference_.prompt;
  all.insert(all.end(), reference_.ids.begin(), reference_.ids.end());
  const auto cluster = MakeCluster(Options());
  ASSERT_OK_AND_ASSIGN(const SoloOutput out, RunSolo(*cluster, {.ids = all}));
  std::vector<TokenLogprobs> told = reference_.prompt_logprobs;
  told.insert(told.end(), reference_.logprobs.begin(), reference_.logprobs.end());
  ASSERT_EQ(told.size(), all.size() - 1);
  const size_t vocab = static_cast<size_t>(config_.vocab_size);
  for (size_t i = 0; i + 1 < all.size(); ++i) {
    const std::span<const float> row(out.logits.data() + i * vocab, vocab - kPadding);
    const float own = row[static_cast<size_t>(Value(all[i + 1]))];
    double total = 0.0;
    for (const float logit : row) total += std::exp(double{logit} - double{own});
    // Logits are below 32, and 317 are summed: twenty numbers a lane, a tree of four.
    EXPECT_NEAR(double{told[i].logprob}, -std::log(total), (24 + 3 * 32) * 0x1p-24) << i;
    EXPECT_EQ(told[i].rank,
              1 + std::count_if(row.begin(), row.end(), [own](float x) { return x > own; }));
    ASSERT_EQ(told[i].top.size(), 4u);
    EXPECT_EQ(row[static_cast<size_t>(Value(told[i].top[0].id))],
              *std::max_element(row.begin(), row.end()));
  }
}

TEST_F(SampledAnswerTest, ChunksIsasAndThreads) {
  for (const int32_t chunk : {1, 7, 33, 64, 74}) {
    SCOPED_TRACE("chunks of " + std::to_string(chunk));
    SteppedSequence sequence = Everything();
    sequence.chunk = chunk;
    ExpectSame(RunAlone(sequence, Options()));
  }
  ExecutorOptions options = Options();
  options.backend = kernels::Backend::kRef;
  options.num_threads = 3;
  ExpectSame(RunAlone(Everything(), options));
}

TEST_F(SampledAnswerTest, InABatchOfSeventeen) {
  const auto cluster = MakeCluster(Options(), 2);
  SteppedSequences sequences(*cluster, Options());
  sequences.Add(Everything());
  sequences.at(0).chunk = 37;
  for (uint32_t i = 1; i < 17; ++i) sequences.Add(Neighbour(i));
  sequences.RunToEnd(0);
  ExpectSame(sequences.at(0));
}

TEST_F(SampledAnswerTest, PreemptedAndRecomputedFromAnyToken) {
  for (size_t sampled = 1; sampled < kAnswerTokens; ++sampled) {
    SCOPED_TRACE("preempted after " + std::to_string(sampled));
    const auto cluster = MakeCluster(Options());
    SteppedSequences sequences(*cluster, Options());
    sequences.Add(Everything());
    while (sequences.at(0).ids.size() < sampled) sequences.Step();
    sequences.Preempt(0);
    sequences.at(0).chunk = static_cast<int32_t>(sampled) * 9;
    sequences.RunToEnd(0);
    ExpectSame(sequences.at(0));
  }
}

// In its prompt, after its first token, in the middle of being recomputed, at its last token.
TEST_F(SampledAnswerTest, PreemptedManyTimesBesideOthers) {
  const auto cluster = MakeCluster(Options(), 2);
  SteppedSequences sequences(*cluster, Options());
  SteppedSequence sequence = Everything();
  sequence.chunk = 30;
  sequences.Add(sequence);
  for (uint32_t i = 1; i < 5; ++i) sequences.Add(Neighbour(i));
  for (const int steps : {3, 1, 2, 1, 9, 3, 17, 5}) {
    for (int i = 0; i < steps; ++i) sequences.Step();
    if (sequences.at(0).finish == FinishReason::kNone) sequences.Preempt(0);
  }
  sequences.RunToEnd(0);
  ExpectSame(sequences.at(0));
}

TEST_F(SampledAnswerTest, MinTokensCountsWhatWasSampledBefore) {
  SteppedSequence sequence = Everything();
  sequence.start.sampling.min_tokens = 0;
  for (int32_t id = 0; id < config_.vocab_size; id += 2)
    sequence.start.stop_ids.push_back(TokenId{id});
  EXPECT_LT(RunAlone(sequence, Options()).ids.size(), 10u) << "half of the vocabulary ends it";
  sequence.start.sampling.min_tokens = 10;
  const SteppedSequence alone = RunAlone(sequence, Options());
  EXPECT_EQ(alone.finish, FinishReason::kStop);
  ASSERT_GT(alone.ids.size(), 10u);
  for (const size_t sampled : {size_t{2}, size_t{9}, size_t{10}}) {
    const auto cluster = MakeCluster(Options());
    SteppedSequences sequences(*cluster, Options());
    sequences.Add(sequence);
    while (sequences.at(0).ids.size() < sampled) sequences.Step();
    sequences.Preempt(0);
    sequences.RunToEnd(0);
    EXPECT_EQ(sequences.at(0).ids, alone.ids) << sampled;
    EXPECT_EQ(sequences.at(0).finish, FinishReason::kStop);
  }
}

// A token whose embedding is broken makes its sequence's logits NaN; those beside it are as ever.
TEST_F(SampledAnswerTest, BrokenLogitsEndTheirSequenceAlone) {
  const SteppedSequence neighbour = Neighbour(4);
  std::set<TokenId> used(reference_.ids.begin(), reference_.ids.end());
  used.insert(reference_.prompt.begin(), reference_.prompt.end());
  used.insert(neighbour.prompt.begin(), neighbour.prompt.end());
  int32_t broken_id = 0;
  while (used.contains(TokenId{broken_id})) ++broken_id;
  const kernels::TensorView embedding = weights_.embedding;
  ASSERT_EQ(embedding.dtype, kernels::DType::kBf16);
  const size_t hidden = static_cast<size_t>(config_.hidden_size);
  std::vector<kernels::Bf16> rows(embedding.bf16(), embedding.bf16() + embedding.num_elements());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::fill_n(rows.data() + static_cast<size_t>(broken_id) * hidden, hidden, kernels::ToBf16(nan));
  weights_.embedding = kernels::TensorView::Dense(rows.data(), kernels::DType::kBf16,
                                                  {config_.vocab_size, config_.hidden_size});
  for (const int32_t broken_at : {2, 74}) {
    const auto cluster = MakeCluster(Options());
    SteppedSequences sequences(*cluster, Options());
    sequences.Add(Everything());
    SteppedSequence broken = Everything();
    broken.start.seq = SeqId{2};
    broken.prompt[static_cast<size_t>(broken_at)] = TokenId{broken_id};
    broken.chunk = 40;
    sequences.Add(broken);
    sequences.Add(neighbour);
    sequences.RunToEnd(0);
    ExpectSame(sequences.at(0));
    EXPECT_EQ(sequences.at(1).finish, FinishReason::kError);
    EXPECT_TRUE(sequences.at(1).ids.empty());
    EXPECT_EQ(sequences.at(2).finish, FinishReason::kNone);
  }
}

TEST_F(SampledAnswerTest, APlanThatOnlyFreesIsExecuted) {
  const auto cluster = MakeCluster(Options(), 3);
  SteppedSequences sequences(*cluster, Options());
  sequences.Add(Everything());
  sequences.Step();
  std::vector<StepPlan> plans(3);
  plans[0].free.push_back(SeqId{1});
  plans[2].free.push_back(SeqId{77});
  for (const StepResult& result : cluster->Step(plans)) {
    EXPECT_OK(result.status);
    EXPECT_TRUE(result.sequences.empty());
    EXPECT_EQ(result.stats.rows, 0u);
  }
}

}  // namespace
}  // namespace atl::worker
