// "The worker's layer loop allocates nothing": from the second step of the same shape on, a forward
// pass calls operator new nowhere, on either of two ranks.
#include <numeric>
#include <thread>

#include "tests/support/allocation_counter.h"
#include "tests/support/status_matchers.h"
#include "worker/model/decoder.h"
#include "worker/model/layer_configs.h"
#include "worker/transport/inproc/inproc_group.h"

namespace atl::worker {
namespace {

TEST(AllocationTest, LayerLoopAllocatesNothing) {
  const ModelConfig config = LoadModelConfig("tools/nano/checkpoint").value();
  const auto checkpoint = Checkpoint::Open("tools/nano/checkpoint").value();
  const ModelWeights weights = LoadModelWeights(*checkpoint, config).value();
  auto transports = InprocGroup::Create({.world_size = 2, .epoch = {1, 1}}).value();
  std::vector<std::vector<int32_t>> owners(static_cast<size_t>(config.num_layers()));
  for (auto& layer : owners) {
    for (int e = 0; e < config.num_experts; ++e) layer.push_back(e % 2);
  }
  std::vector<int64_t> allocated(2, -1);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      kernels::SetDenormalsToZero();
      kernels::KernelContext context(kernels::BestBackend().value(), nullptr);
      const auto decoder = Decoder::Create(config, weights, {}).value();
      KvCacheConfig cache_config = KvCacheConfigOf(config, kernels::DType::kBf16);
      cache_config.num_blocks = 2;
      cache_config.num_slots = 1;
      KvCache cache(cache_config);
      TokenDispatcher dispatcher(DispatcherConfigOf(config, kernels::DType::kBf16),
                                 transports[static_cast<size_t>(rank)].get());
      const std::vector<BlockId> blocks = {BlockId{0}, BlockId{1}};
      const std::vector<int32_t> rows_by_rank = {5, 5};
      for (int step = 1; step <= 6; ++step) {
        const int begin = 5 * (step - 1);
        std::vector<int32_t> positions(5);
        std::iota(positions.begin(), positions.end(), begin);
        const std::vector<TokenId> ids = {TokenId{1}, TokenId{20}, TokenId{300}, TokenId{4000},
                                          TokenId{step}};
        const std::vector<SequenceRows> rows = {
            {.num_rows = 5,
             .position_begin = begin,
             .blocks = blocks,
             .store = begin == 0 ? kernels::DeltaStore::kOwn : kernels::DeltaStore::kSpare,
             .spare = begin == 0 ? -1 : 0}};
        const int64_t before = testing::AllocationsOfThisThread();
        CHECK_OK(decoder->Forward(
            {.context = context, .cache = cache, .dispatcher = dispatcher, .expert_owner = owners},
            {.key = {.epoch = {1, 1}, .step = static_cast<uint64_t>(step)},
             .ids = ids,
             .positions = positions,
             .sequences = rows,
             .rows_by_rank = rows_by_rank}));
        // The first steps fill the transport's pool of transfers.
        if (step == 6)
          allocated[static_cast<size_t>(rank)] = testing::AllocationsOfThisThread() - before;
        if (begin == 0) cache.SetStateLength(SlotId{0}, 5);
        if (begin > 0) cache.SwapSpare(SlotId{0}, 0, begin + 5);
      }
      dispatcher.Abandon();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allocated, (std::vector<int64_t>{0, 0}));
}

TEST(AllocationTest, TheCounterCounts) {
  const int64_t before = testing::AllocationsOfThisThread();
  const auto owned = std::make_unique<std::vector<int>>(100);
  EXPECT_GE(testing::AllocationsOfThisThread() - before, 2);
  EXPECT_EQ(owned->size(), 100u);
}

}  // namespace
}  // namespace atl::worker
