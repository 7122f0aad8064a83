#include "kernels/ops/rope/rotary_cache.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "tests/kernels/ops/sequence_fixtures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_threads.h"

namespace atl::kernels {
namespace {

constexpr int kHalf = 3;

RotaryFrequencies Frequencies() {
  const auto frequencies = MakeRotaryFrequencies({.rotary_dim = 2 * kHalf, .theta = 1e4});
  EXPECT_OK(frequencies);
  return *frequencies;
}

class Tables : public OpObserver {
 public:
  void OnOp(const OpCost& cost, std::chrono::nanoseconds /*time*/) override {
    if (std::string(cost.name) == "rotary_table") ++count;
  }
  int count = 0;
};

class RotaryCacheTest : public ::testing::Test {
 protected:
  RotaryCacheTest() : context_(*BestBackend(), &threads_) { context_.set_observer(&tables_); }

  // How many tables were computed for these positions.
  int Check(RotaryCache& cache, const std::vector<int32_t>& positions) {
    const int64_t rows = static_cast<int64_t>(positions.size());
    std::vector<float> cos(positions.size() * kHalf), sin(cos), cos_kept(cos), sin_kept(cos);
    EXPECT_OK(RotaryTable(context_, {.frequencies = &frequencies_,
                                     .positions = positions,
                                     .cos = F32(cos.data(), {rows, kHalf}),
                                     .sin = F32(sin.data(), {rows, kHalf})}));
    tables_.count = 0;
    EXPECT_OK(cache.Rows(context_, {.positions = positions,
                                    .cos = F32(cos_kept.data(), {rows, kHalf}),
                                    .sin = F32(sin_kept.data(), {rows, kHalf})}));
    EXPECT_TRUE(SameBytes(cos_kept, cos));
    EXPECT_TRUE(SameBytes(sin_kept, sin));
    return tables_.count;
  }

  testing::TestThreads threads_{2};
  Tables tables_;
  KernelContext context_;
  RotaryFrequencies frequencies_ = Frequencies();
};

TEST_F(RotaryCacheTest, ComputesARowOnce) {
  RotaryCache cache(frequencies_, 4096);
  EXPECT_EQ(Check(cache, {70}), 1);
  EXPECT_EQ(Check(cache, {71}), 0);
  EXPECT_EQ(Check(cache, {64, 127, 64}), 0);
  EXPECT_EQ(Check(cache, {63, 128, 70}), 2);
  EXPECT_EQ(Check(cache, {0, 100, 191}), 0);
}

TEST_F(RotaryCacheTest, AChunkOfAPromptIsOneTable) {
  RotaryCache cache(frequencies_, 4096);
  std::vector<int32_t> chunk(500);
  std::iota(chunk.begin(), chunk.end(), 1030);
  EXPECT_EQ(Check(cache, chunk), 1);
  EXPECT_EQ(Check(cache, chunk), 0);
  chunk.push_back(7);
  EXPECT_EQ(Check(cache, chunk), 1);
}

// The last block that is whole is kept; above it and above the bound rows are computed each time.
TEST_F(RotaryCacheTest, KeepsABoundedPart) {
  RotaryCache small(frequencies_, 130);
  EXPECT_EQ(Check(small, {127}), 1);
  EXPECT_EQ(Check(small, {127}), 0);
  EXPECT_EQ(Check(small, {127, 128}), 1);
  EXPECT_EQ(Check(small, {127, 128}), 1);
  RotaryCache large(frequencies_, int64_t{1} << 40);
  EXPECT_EQ(Check(large, {RotaryCache::kMaxKeptPositions - 1}), 1);
  EXPECT_EQ(Check(large, {RotaryCache::kMaxKeptPositions - 2}), 0);
  EXPECT_EQ(Check(large, {RotaryCache::kMaxKeptPositions}), 1);
  EXPECT_EQ(Check(large, {RotaryCache::kMaxKeptPositions}), 1);
}

TEST_F(RotaryCacheTest, RefusesWhatTheTableRefuses) {
  RotaryCache cache(frequencies_, 4096);
  std::vector<float> memory(2 * kHalf);
  const auto rows = [&](int32_t position, int64_t half) {
    return cache.Rows(context_, {.positions = {&position, 1},
                                 .cos = F32(memory.data(), {1, half}),
                                 .sin = F32(memory.data() + kHalf, {1, half})});
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_STATUS(rows(-1, kHalf), invalid, "position -1");
  EXPECT_STATUS(rows(1 << 24, kHalf), invalid, "position");
  EXPECT_STATUS(rows(5, kHalf - 1), invalid, "RotaryCache cos");
  EXPECT_OK(rows(5, kHalf));
}

}  // namespace
}  // namespace atl::kernels
