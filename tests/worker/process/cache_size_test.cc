#include "worker/process/cache_size.h"

#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;
constexpr int64_t kContext = 640;  // ten blocks

KvCacheConfig SmallCache() {
  return {.num_attention_layers = 2,
          .num_kv_heads = 2,
          .head_dim = 64,
          .num_linear_layers = 3,
          .delta = {.num_key_heads = 2, .num_value_heads = 4, .key_dim = 32, .value_dim = 32},
          .conv_channels = 256,
          .conv_kernel = 4,
          .num_spares = 2};
}

TEST(CacheSizeTest, TheDefaultIsAShareOfWhatTheWeightsLeave) {
  const KvCacheConfig cache = SmallCache();
  EXPECT_EQ(DefaultCacheBytes({.limit_bytes = 10 * kGiB}, cache, kContext), 3 * kGiB);
  EXPECT_EQ(
      DefaultCacheBytes({.limit_bytes = 30 * kGiB, .weights_bytes = 20 * kGiB}, cache, kContext),
      3 * kGiB);
}

TEST(CacheSizeTest, TheDefaultIsNeverBelowOneSequence) {
  const KvCacheConfig cache = SmallCache();
  const int64_t one = 3 * cache.bytes_per_state() + 10 * cache.bytes_per_block();
  ASSERT_GT(one, 0);
  EXPECT_EQ(DefaultCacheBytes({}, cache, kContext), one) << "no limit can be read";
  EXPECT_EQ(
      DefaultCacheBytes({.limit_bytes = 2 * kGiB, .weights_bytes = 70 * kGiB}, cache, kContext),
      one);
}

TEST(CacheSizeTest, StatesTakeAtMostHalfAndBlocksTheRest) {
  KvCacheConfig cache = SmallCache();
  const int64_t state = cache.bytes_per_state(), block = cache.bytes_per_block();
  const CacheBudget budget = {
      .memory_bytes = 2 * (5 * state), .max_num_seqs = 256, .context_length = 1 << 20};
  ASSERT_OK(SizeCache(budget, cache));
  EXPECT_EQ(cache.num_slots, 3) << "five, and two of them are spares";
  EXPECT_EQ(cache.num_blocks, 5 * state / block);
}

TEST(CacheSizeTest, NoMoreThanAllSequencesCouldUse) {
  KvCacheConfig cache = SmallCache();
  ASSERT_OK(
      SizeCache({.memory_bytes = kGiB, .max_num_seqs = 4, .context_length = kContext + 1}, cache));
  EXPECT_EQ(cache.num_slots, 4);
  EXPECT_EQ(cache.num_blocks, 4 * 11);
}

TEST(CacheSizeTest, MemoryForNoSequenceIsRefusedWithTheNumber) {
  KvCacheConfig cache = SmallCache();
  const int64_t least = 3 * cache.bytes_per_state() + cache.bytes_per_block();
  ASSERT_OK(SizeCache({.memory_bytes = least, .context_length = kContext}, cache));
  EXPECT_EQ(cache.num_slots, 1);
  EXPECT_EQ(cache.num_blocks, 1);
  EXPECT_STATUS(SizeCache({.memory_bytes = least - 1, .context_length = kContext}, cache),
                absl::StatusCode::kInvalidArgument, std::to_string(least).c_str());
}

}  // namespace
}  // namespace atl::worker
