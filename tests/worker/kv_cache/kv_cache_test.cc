#include "worker/kv_cache/kv_cache.h"

#include <set>

#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

KvCacheConfig SmallConfig() {
  return {.num_attention_layers = 2,
          .num_kv_heads = 2,
          .head_dim = 24,
          .num_linear_layers = 3,
          .delta = {.num_key_heads = 2, .num_value_heads = 4, .key_dim = 20, .value_dim = 40},
          .conv_channels = 240,
          .conv_kernel = 4,
          .dtype = kernels::DType::kBf16,
          .late_rows = 8,
          .num_blocks = 3,
          .num_slots = 2,
          .num_spares = 1};
}

TEST(KvCacheTest, BytesAreThoseOfTheModelSpec) {
  KvCacheConfig real;  // docs/model.md 11.3
  real.num_attention_layers = 10;
  real.num_kv_heads = 2;
  real.head_dim = 256;
  EXPECT_EQ(real.bytes_per_block(), 20480 * 64);
  real.num_linear_layers = 30;
  real.delta = {.num_key_heads = 16, .num_value_heads = 32, .key_dim = 128, .value_dim = 128};
  real.conv_channels = 8192;
  real.conv_kernel = 4;
  EXPECT_GE(real.bytes_per_state(), 62914560 + 1474560);
  EXPECT_LT(real.bytes_per_state(), 70'000'000);
}

TEST(KvCacheTest, LayersSlotsAndSparesDoNotOverlap) {
  KvCache cache(SmallConfig());
  // Give every byte that can be reached through a view its owner's number, then look whether all
  // numbers are still there.
  std::vector<std::pair<float*, int64_t>> parts;
  const int64_t state_floats = kernels::DeltaStateFloats(SmallConfig().delta);
  for (int layer = 0; layer < 3; ++layer) {
    for (LinearState state :
         {cache.Slot(SlotId{0}, layer), cache.Slot(SlotId{1}, layer), cache.Spare(0, layer)}) {
      parts.push_back({state.state, state_floats});
      parts.push_back({state.waiting.k, 16 * 2 * 20});
      parts.push_back({state.waiting.delta, 16 * 4 * 40});
      parts.push_back({state.waiting.decay, 16 * 4});
      parts.push_back({static_cast<float*>(state.columns.ring), 11 * 240 / 2});
    }
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    for (int64_t j = 0; j < parts[i].second; ++j) parts[i].first[j] = static_cast<float>(i + 1);
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    for (int64_t j = 0; j < parts[i].second; ++j)
      ASSERT_EQ(parts[i].first[j], static_cast<float>(i + 1)) << i;
  }
}

TEST(KvCacheTest, BlocksOfALayerAreDisjointAndZeroedWhenTaken) {
  KvCache cache(SmallConfig());
  std::set<const std::byte*> starts;
  for (int layer = 0; layer < 2; ++layer) {
    const kernels::KvLayerView view = cache.Layer(layer);
    for (int block = 0; block < 3; ++block) {
      for (int head = 0; head < 2; ++head) {
        starts.insert(view.Keys(block, head));
        starts.insert(view.Values(block, head));
        view.Values(block, head)[0] = std::byte{7};
      }
    }
  }
  EXPECT_EQ(starts.size(), 2u * 3 * 2 * 2);
  cache.ZeroBlock(BlockId{1});
  EXPECT_EQ(cache.Layer(1).Values(1, 1)[0], std::byte{0});
  EXPECT_EQ(cache.Layer(1).Values(2, 1)[0], std::byte{7});
  EXPECT_EQ(cache.Layer(0).Values(0, 0)[0], std::byte{7});
}

TEST(KvCacheTest, SwapMakesTheSpareTheSlot) {
  KvCache cache(SmallConfig());
  cache.Slot(SlotId{1}, 2).state[0] = 1.0f;
  cache.Spare(0, 2).state[0] = 2.0f;
  cache.SwapSpare(SlotId{1}, 0, 70);
  EXPECT_EQ(cache.Slot(SlotId{1}, 2).state[0], 2.0f);
  EXPECT_EQ(cache.Slot(SlotId{1}, 0).state_length, 70);
  EXPECT_EQ(cache.Spare(0, 2).state[0], 1.0f);
  cache.AdvanceState(SlotId{1}, 2, 75);
  EXPECT_EQ(cache.Slot(SlotId{1}, 2).state_length, 75);
  EXPECT_EQ(cache.Slot(SlotId{1}, 0).state_length, 70);
  cache.ResetSlot(SlotId{1});
  EXPECT_EQ(cache.Slot(SlotId{1}, 2).state_length, 0);
}

}  // namespace
}  // namespace atl::worker
