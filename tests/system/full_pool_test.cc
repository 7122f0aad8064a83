// The scheduler with real workers and the embedded model: a cache for four sequences serves
// sixteen, and nobody's text tells.
#include <deque>
#include <map>

#include "coordinator/scheduler/scheduler.h"
#include "tests/support/status_matchers.h"
#include "worker/local/local_cluster.h"

namespace atl::coordinator {
namespace {

constexpr int kNumSequences = 16;
constexpr int32_t kAnswerTokens = 90;
constexpr int kNumWorkers = 2;

struct Outcome {
  std::map<SeqId, std::vector<TokenId>> texts{};
  int preemptions = 0;
};

class FullPoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(config_, LoadModelConfig("tools/nano/checkpoint"));
    ASSERT_OK_AND_ASSIGN(checkpoint_, worker::Checkpoint::Open("tools/nano/checkpoint"));
    ASSERT_OK_AND_ASSIGN(weights_, worker::LoadModelWeights(*checkpoint_, config_));
  }

  // Every second one is sampled with a seed, the others are greedy.
  static Request MakeRequest(int32_t i) {
    Request request;
    for (int32_t n = 0; n < 40 + i; ++n)
      request.prompt.push_back(TokenId{300 + (i * 53 + n * 7) % 900});
    request.max_new_tokens = kAnswerTokens;
    request.sampling.temperature = i % 2 == 0 ? 0.0f : 1.0f;
    request.sampling.repetition_penalty = 1.1f;
    request.seed = static_cast<uint64_t>(i);
    return request;
  }

  // All sequences at once with `num_blocks` blocks at each home, two steps in flight.
  Outcome Run(int32_t num_blocks) {
    Outcome outcome;
    const kernels::Backend backend = kernels::BestBackend().value();
    const auto cluster = worker::LocalCluster::Create(
        config_, weights_,
        {.num_workers = kNumWorkers,
         .executor = {.backend = backend, .num_blocks = num_blocks, .num_slots = kNumSequences}});
    EXPECT_OK(cluster);
    std::vector<HomeCapacity> homes;
    for (int rank = 0; rank < kNumWorkers; ++rank) {
      homes.push_back({.kv_blocks = num_blocks, .state_slots = kNumSequences, .spares = 1});
    }
    Scheduler scheduler({.max_num_seqs = kNumSequences, .max_num_batched_tokens = 128}, {1, 0},
                        homes);
    for (int32_t i = 0; i < kNumSequences; ++i) {
      scheduler.Add(SeqId{static_cast<uint64_t>(i) + 1}, MakeRequest(i));
    }
    std::deque<PlannedStep> in_flight;
    while (true) {
      std::optional<PlannedStep> step = scheduler.PlanStep();
      if (!step && in_flight.empty()) break;
      if (step) {
        outcome.preemptions += static_cast<int>(step->preempted.size());
        in_flight.push_back(*std::move(step));
        if (in_flight.size() < 2) continue;
      }
      for (const StepResult& result : (*cluster)->Step(std::move(in_flight.front().plans))) {
        EXPECT_OK(result.status);
        for (const SequenceResult& sequence : result.sequences) {
          const auto update = scheduler.Apply(result.rank, sequence);
          EXPECT_OK(update);
          std::vector<TokenId>& text = outcome.texts[sequence.seq];
          text.insert(text.end(), sequence.ids.begin(), sequence.ids.end());
        }
      }
      in_flight.pop_front();
      if (::testing::Test::HasFailure()) break;
    }
    for (int32_t rank = 0; rank < kNumWorkers; ++rank) {
      EXPECT_EQ(scheduler.ledger(rank).num_blocks_free(), num_blocks);
    }
    return outcome;
  }

  ModelConfig config_;
  std::unique_ptr<worker::Checkpoint> checkpoint_;
  worker::ModelWeights weights_;
};

TEST_F(FullPoolTest, ACacheForFourServesSixteenWithTheSameTexts) {
  // 130 to 145 tokens are three blocks.
  const Outcome roomy = Run(3 * kNumSequences);
  const Outcome full = Run(3 * 4 / kNumWorkers);
  EXPECT_EQ(roomy.preemptions, 0);
  EXPECT_GT(full.preemptions, 0);
  ASSERT_EQ(roomy.texts.size(), size_t{kNumSequences});
  for (const auto& [seq, text] : roomy.texts) EXPECT_EQ(text.size(), size_t{kAnswerTokens});
  EXPECT_EQ(full.texts, roomy.texts);
}

}  // namespace
}  // namespace atl::coordinator
