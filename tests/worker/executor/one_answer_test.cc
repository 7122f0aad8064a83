// The table of docs/arithmetic.md 11: logits are equal as bytes whatever the chunks, the batch, the
// threads, the ISA, the number of workers, the placement. Patch 60 of tools/golden/mutations, which
// combines the experts of a row alone in another order, turns it red.
#include <cstring>
#include <numeric>
#include <random>

#include "tests/support/status_matchers.h"
#include "worker/local/local_cluster.h"
#include "worker/packed_weights/packed_memory.h"
#include "worker/packed_weights/packed_store.h"

namespace atl::worker {
namespace {

using kernels::Backend;
using kernels::DType;

struct Model {
  ModelConfig config;
  std::unique_ptr<Checkpoint> checkpoint;
  ModelWeights weights;
};

absl::StatusOr<Model> LoadModel(const std::string& folder) {
  Model model;
  ATOLL_ASSIGN_OR_RETURN(model.config, LoadModelConfig(folder));
  ATOLL_ASSIGN_OR_RETURN(model.checkpoint, Checkpoint::Open(folder));
  ATOLL_ASSIGN_OR_RETURN(model.weights, LoadModelWeights(*model.checkpoint, model.config));
  return model;
}

std::vector<TokenId> RandomIds(int count, int vocab_size, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> ids;
  for (int i = 0; i < count; ++i)
    ids.push_back(TokenId{static_cast<int32_t>(random() % static_cast<uint32_t>(vocab_size))});
  return ids;
}

struct Case {
  const char* folder;
  DType dtype;
};

class OneAnswerTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(model_, LoadModel(GetParam().folder));
    ids_ = RandomIds(kPromptTokens, model_.config.vocab_size, 7);
    ASSERT_OK_AND_ASSIGN(best_, kernels::BestBackend());
    ASSERT_OK_AND_ASSIGN(reference_, Run({.executor = Options()}, {}));
    ASSERT_EQ(reference_.logits.size(),
              static_cast<size_t>((kPromptTokens + kGenerated - 1) * model_.config.vocab_size));
  }

  ExecutorOptions Options() const {
    return {.backend = best_,
            .decoder = {.dtype = GetParam().dtype},
            .num_blocks = 128,
            .num_slots = 20,
            .num_spares = 20};
  }

  absl::StatusOr<SoloOutput> Run(const LocalClusterOptions& options,
                                 const std::vector<int32_t>& chunks, int home = 0) {
    ATOLL_ASSIGN_OR_RETURN(const auto cluster,
                           LocalCluster::Create(model_.config, model_.weights, options));
    return RunSolo(*cluster,
                   {.ids = ids_, .chunks = chunks, .num_generate = kGenerated, .home = home});
  }

  std::vector<int> AllUnits(const PackedLayout& layout) const {
    std::vector<int> experts(static_cast<size_t>(model_.config.num_experts));
    std::iota(experts.begin(), experts.end(), 0);
    return layout.UnitsOf(
        std::vector<std::vector<int>>(static_cast<size_t>(model_.config.num_layers()), experts));
  }

  // A store that makes a unit ready at a time. The model's own weights stay row-major.
  std::unique_ptr<PackedStore> MakeStore() const {
    PackedLayout layout(model_.weights);
    const std::vector<int> units = AllUnits(layout);
    auto memory = PackedMemory::Create(layout).value();
    auto store =
        std::make_unique<PackedStore>(*model_.checkpoint, std::move(layout), std::move(memory),
                                      PackedStoreOptions{.backend = best_, .batch_bytes = 1});
    store->Want(units);
    return store;
  }

  void ExpectSame(const SoloOutput& out) const {
    EXPECT_EQ(out.generated, reference_.generated);
    ASSERT_EQ(out.logits.size(), reference_.logits.size());
    EXPECT_EQ(
        std::memcmp(out.logits.data(), reference_.logits.data(), out.logits.size() * sizeof(float)),
        0);
  }

  static constexpr int kPromptTokens = 150;
  static constexpr int kGenerated = 6;
  Model model_;
  std::vector<TokenId> ids_;
  Backend best_{};
  SoloOutput reference_;
};

TEST_P(OneAnswerTest, ChunksOfAnySize) {
  std::mt19937 random(3);
  std::vector<int32_t> sizes;
  for (int i = 0; i < 40; ++i) sizes.push_back(1 + static_cast<int32_t>(random() % 23));
  for (const std::vector<int32_t>& chunks :
       {std::vector<int32_t>{1}, {7}, {16}, {63}, {64}, {65}, {130}, sizes}) {
    SCOPED_TRACE(::testing::PrintToString(chunks));
    ASSERT_OK_AND_ASSIGN(const SoloOutput out, Run({.executor = Options()}, chunks));
    ExpectSame(out);
  }
}

TEST_P(OneAnswerTest, IsasAndThreads) {
  for (const Backend backend : {Backend::kRef, Backend::kAvx2, Backend::kAvx512}) {
    if (!kernels::ChooseBackend(std::string(kernels::NameOf(backend))).ok()) {
      std::printf("[ aloud    ] this CPU cannot run %s\n",
                  std::string(kernels::NameOf(backend)).c_str());
      continue;
    }
    for (const int threads : {1, 2}) {
      SCOPED_TRACE(std::string(kernels::NameOf(backend)) + ", threads " + std::to_string(threads));
      ExecutorOptions options = Options();
      options.backend = backend;
      options.num_threads = threads;
      ASSERT_OK_AND_ASSIGN(const SoloOutput out, Run({.executor = options}, {33}));
      ExpectSame(out);
    }
  }
}

// The reference runs row-major.
TEST_P(OneAnswerTest, PackedWeights) {
  kernels::SetDenormalsToZero();
  const auto store = MakeStore();
  ModelWeights weights = model_.weights;
  while (store->PackNext({}).value() != PackProgress::kDone) store->Adopt(weights);
  for (const Backend backend : {Backend::kRef, Backend::kAvx2, Backend::kAvx512}) {
    if (!kernels::ChooseBackend(std::string(kernels::NameOf(backend))).ok()) continue;
    for (const int threads : {1, 2}) {
      SCOPED_TRACE(std::string(kernels::NameOf(backend)) + ", threads " + std::to_string(threads));
      ExecutorOptions options = Options();
      options.backend = backend;
      options.num_threads = threads;
      ASSERT_OK_AND_ASSIGN(const auto cluster,
                           LocalCluster::Create(model_.config, weights, {.executor = options}));
      ASSERT_OK_AND_ASSIGN(
          const SoloOutput out,
          RunSolo(*cluster, {.ids = ids_, .chunks = {33}, .num_generate = kGenerated}));
      ExpectSame(out);
    }
  }
}

// Two workers, of which each learns of some more before every step.
TEST_P(OneAnswerTest, PackedWeightsThatAppearBetweenSteps) {
  kernels::SetDenormalsToZero();
  const auto store = MakeStore();
  ModelWeights weights = model_.weights;
  ASSERT_OK_AND_ASSIGN(
      const auto cluster,
      LocalCluster::Create(model_.config, weights, {.num_workers = 2, .executor = Options()}));
  const std::vector<int32_t> chunks = {40, 9, 1, 30, 65, 1, 1, 1};
  const size_t num_steps = chunks.size() + kGenerated;
  const size_t units_at_once = 1 + AllUnits(store->layout()).size() / num_steps;
  size_t steps_with_news = 0;
  const auto before_step = [&] {
    for (size_t i = 0; i < units_at_once; ++i) ASSERT_OK(store->PackNext({}));
    if (!store->Adopt(weights)) return;
    ++steps_with_news;
    for (int rank = 0; rank < 2; ++rank) cluster->executor(rank).UseWeights(weights);
  };
  ASSERT_OK_AND_ASSIGN(const SoloOutput out, RunSolo(*cluster, {.ids = ids_,
                                                                .chunks = chunks,
                                                                .num_generate = kGenerated,
                                                                .home = 1,
                                                                .before_step = before_step}));
  ExpectSame(out);
  EXPECT_GE(steps_with_news, std::min<size_t>(3, AllUnits(store->layout()).size()));
}

TEST_P(OneAnswerTest, WorkersHomesAndPlacements) {
  for (const int workers : {1, 2, 3}) {
    SCOPED_TRACE("workers " + std::to_string(workers));
    ASSERT_OK_AND_ASSIGN(const SoloOutput out,
                         Run({.num_workers = workers, .executor = Options()}, {70}, workers - 1));
    ExpectSame(out);
  }
  std::mt19937 random(11);
  std::vector<std::vector<int32_t>> owners(static_cast<size_t>(model_.config.num_layers()));
  for (auto& layer : owners) {
    for (int e = 0; e < model_.config.num_experts; ++e)
      layer.push_back(static_cast<int32_t>(random() % 3));
  }
  ASSERT_OK_AND_ASSIGN(
      const SoloOutput out,
      Run({.num_workers = 3, .executor = Options(), .expert_owner = owners}, {}, 1));
  ExpectSame(out);
}

TEST_P(OneAnswerTest, StatesThatLagFurtherBehind) {
  for (const int late_rows : {2, 8, 16}) {
    ExecutorOptions options = Options();
    options.late_rows = late_rows;
    ASSERT_OK_AND_ASSIGN(const SoloOutput out, Run({.executor = options}, {40, 5, 1, 3, 8, 9, 2}));
    ExpectSame(out);
  }
}

// The sequence among sixteen others of other lengths, on two workers; every step carries prompt
// chunks and decode rows together.
TEST_P(OneAnswerTest, InABatchOfSeventeen) {
  ASSERT_OK_AND_ASSIGN(const auto cluster,
                       LocalCluster::Create(model_.config, model_.weights,
                                            {.num_workers = 2, .executor = Options()}));
  struct Running {
    std::vector<TokenId> ids;
    int32_t begin = 0, chunk = 1, sampled = 0, held = 0;
  };
  std::vector<Running> running(17);
  running[0] = {.ids = ids_, .chunk = 37};
  for (size_t i = 1; i < running.size(); ++i) {
    running[i] = {.ids = RandomIds(static_cast<int>(5 + 9 * i), model_.config.vocab_size,
                                   static_cast<uint32_t>(i)),
                  .chunk = static_cast<int32_t>(1 + 5 * i)};
  }
  SoloOutput out;
  std::vector<int32_t> next_block(2, 0);
  while (running[0].sampled < kGenerated) {
    std::vector<StepPlan> plans(2);
    for (size_t i = 0; i < running.size(); ++i) {
      Running& r = running[i];
      StepPlan& plan = plans[i % 2];
      const int32_t prompt = static_cast<int32_t>(r.ids.size());
      SequenceWork work = {.seq = SeqId{i},
                           .begin = r.begin,
                           .num_rows = 1,
                           .sample = true,
                           .probe = i == 0 ? Probe::kLogits : Probe::kNone};
      if (r.begin < prompt) {
        work.num_rows = std::min(r.chunk, prompt - r.begin);
        work.ids.assign(r.ids.begin() + r.begin, r.ids.begin() + r.begin + work.num_rows);
        work.sample = r.begin + work.num_rows == prompt;
      }
      if (r.begin == 0) {
        plan.start.push_back({.seq = SeqId{i},
                              .state_slot = SlotId{static_cast<int32_t>(i / 2)},
                              .prompt_length = prompt,
                              .max_new_tokens = 1000,
                              .sampling = {.temperature = 0.0f}});
      }
      for (; r.held * 64 < r.begin + work.num_rows; ++r.held)
        work.new_blocks.push_back(BlockId{next_block[i % 2]++});
      r.begin += work.num_rows;
      r.sampled += work.sample ? 1 : 0;
      plan.work.push_back(std::move(work));
    }
    const std::vector<StepResult> results = cluster->Step(std::move(plans));
    for (const StepResult& result : results) ASSERT_OK(result.status);
    for (const ProbeResult& probe : results[0].probes)
      out.logits.insert(out.logits.end(), probe.logits.begin(), probe.logits.end());
    for (const SequenceResult& s : results[0].sequences) {
      if (s.seq == SeqId{0}) out.generated.insert(out.generated.end(), s.ids.begin(), s.ids.end());
    }
  }
  ExpectSame(out);
}

INSTANTIATE_TEST_SUITE_P(Models, OneAnswerTest,
                         ::testing::Values(Case{"tools/nano/checkpoint", DType::kBf16},
                                           Case{"tools/nano/checkpoint", DType::kF32},
                                           Case{"tests/golden/data/untied8", DType::kBf16},
                                           Case{"tests/golden/data/unfriendly", DType::kF32},
                                           Case{"tests/golden/data/yarn4", DType::kBf16},
                                           Case{"tests/golden/data/half6", DType::kBf16},
                                           Case{"tests/golden/data/fp8nested3", DType::kBf16}),
                         [](const auto& info) {
                           const std::string folder = info.param.folder;
                           const std::string name = folder.find("nano") != std::string::npos
                                                        ? "nano"
                                                        : folder.substr(folder.rfind('/') + 1);
                           return name + "_" + std::string(kernels::NameOf(info.param.dtype));
                         });

}  // namespace
}  // namespace atl::worker
