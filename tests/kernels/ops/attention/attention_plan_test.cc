#include "kernels/ops/attention/attention_plan.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <tuple>

#include "kernels/ops/attention/attention_tile.h"
#include "tests/support/status_matchers.h"

namespace atl::kernels {
namespace {

constexpr int64_t kSpanTokens = int64_t{kBlockTokens} * kSpanBlocks;

struct Chunk {
  int64_t position;
  int rows;
};

class AttentionPlanTest : public ::testing::Test {
 protected:
  void Make(const std::vector<Chunk>& chunks, int num_threads, int heads = 16, int kv_heads = 2) {
    sequences_.clear();
    int rows = 0;
    for (const Chunk& chunk : chunks) {
      sequences_.push_back({rows, chunk.rows, chunk.position, blocks_});
      rows += chunk.rows;
    }
    ASSERT_OK(plan_.Make({.num_heads = heads,
                          .num_kv_heads = kv_heads,
                          .head_dim = 8,
                          .num_rows = rows,
                          .num_threads = num_threads,
                          .sequences = sequences_}));
  }

  // Every (row, KV head, span) that has keys is in one task, and in no other.
  void ExpectEachSpanOnce(int kv_heads = 2) {
    std::map<std::tuple<int, int, int64_t>, int> seen;
    for (const AttentionTask& task : plan_.tasks()) {
      const AttentionTile& tile = task.tile;
      EXPECT_EQ((tile.position + tile.num_positions - 1) / kBlockTokens, tile.last_block());
      for (int i = 0; i < tile.num_positions; ++i)
        for (int64_t span = task.span_begin; span < task.span_end; ++span)
          ++seen[{tile.row + i, tile.kv_head, span}];
    }
    size_t expected = 0;
    for (const AttentionSequence& sequence : sequences_) {
      for (int row = 0; row < sequence.num_rows; ++row) {
        const int64_t spans = (sequence.position_begin + row) / kSpanTokens + 1;
        for (int64_t span = 0; span < spans; ++span) {
          for (int head = 0; head < kv_heads; ++head, ++expected)
            EXPECT_EQ((seen[{sequence.row_begin + row, head, span}]), 1);
        }
      }
    }
    EXPECT_EQ(seen.size(), expected);
  }

  std::vector<BlockId> blocks_ = std::vector<BlockId>(64 * kSpanBlocks);
  std::vector<AttentionSequence> sequences_;
  AttentionPlan plan_;
};

TEST_F(AttentionPlanTest, EverySpanOfEveryRowIsInOneTask) {
  for (const int threads : {1, 2, 3, 7, 64}) {
    Make({{0, 130}, {5, 30}, {3 * kSpanTokens - 7, 20}, {40 * kSpanTokens + 11, 1}}, threads);
    ExpectEachSpanOnce();
    Make({{12 * kSpanTokens - 1, 3}, {0, 1}}, threads, 3, 3);
    ExpectEachSpanOnce(3);
  }
}

TEST_F(AttentionPlanTest, LargestFirst) {
  Make({{100, 1}, {30000, 1}, {0, 64}, {5000, 1}}, 2);
  for (size_t i = 1; i < plan_.tasks().size(); ++i)
    EXPECT_GE(plan_.tasks()[i - 1].work, plan_.tasks()[i].work);
}

// What one thread gets last is small against its share, unless it is a single span.
TEST_F(AttentionPlanTest, NoTaskIsMuchOfTheWork) {
  for (const int threads : {2, 8, 32}) {
    Make({{50 * kSpanTokens + 5, 1}, {77, 1}}, threads);
    int64_t all = 0;
    for (const AttentionTask& task : plan_.tasks()) all += task.work;
    for (const AttentionTask& task : plan_.tasks())
      EXPECT_LE(task.work, std::max<int64_t>(kSpanBlocks, all / (2 * threads))) << threads;
  }
}

TEST_F(AttentionPlanTest, PartsAreSubtreesOfOneSize) {
  Make({{13 * kSpanTokens + 900, 1}, {6 * kSpanTokens, 2}}, 2);
  ASSERT_FALSE(plan_.splits().empty());
  std::map<int, const AttentionTask*> parts;
  for (const AttentionTask& task : plan_.tasks()) {
    if (task.part < 0) continue;
    EXPECT_TRUE(parts.emplace(task.part, &task).second);
  }
  size_t num_parts = 0;
  for (const AttentionSplit& split : plan_.splits()) {
    int64_t begin = 0;
    const int64_t size = parts.at(split.part_begin)->span_end;
    EXPECT_TRUE(std::has_single_bit(static_cast<uint64_t>(size)));
    for (int i = 0; i < split.num_parts; ++i, ++num_parts) {
      const AttentionTask& part = *parts.at(split.part_begin + i);
      EXPECT_EQ(part.tile.row, split.tile.row);
      EXPECT_EQ(part.tile.kv_head, split.tile.kv_head);
      EXPECT_EQ(part.span_begin, begin);
      begin = part.span_end;
      if (i + 1 < split.num_parts) {
        EXPECT_EQ(part.span_end - part.span_begin, size);
      } else {
        EXPECT_LE(part.span_end - part.span_begin, size);
        EXPECT_EQ(part.span_end, split.tile.num_spans());
      }
    }
  }
  EXPECT_EQ(num_parts, parts.size());
}

// One thread, or much beside it: nothing is cut.
TEST_F(AttentionPlanTest, CutsOnlyWhereItHelps) {
  Make({{50 * kSpanTokens, 1}}, 1);
  EXPECT_TRUE(plan_.splits().empty());
  EXPECT_EQ(plan_.tasks().size(), 2u);
  Make(std::vector<Chunk>(16, {2 * kSpanTokens + 100, 1}), 2);
  EXPECT_TRUE(plan_.splits().empty());
  Make({{0, 2048}}, 2);
  EXPECT_TRUE(plan_.splits().empty());
}

TEST_F(AttentionPlanTest, NothingToDo) {
  Make({}, 2);
  EXPECT_TRUE(plan_.tasks().empty());
  Make({{17, 0}}, 2);
  EXPECT_TRUE(plan_.tasks().empty());
  EXPECT_EQ(plan_.keys_read(), 0);
}

TEST_F(AttentionPlanTest, CountsKeys) {
  Make({{100, 3}, {0, 2}}, 2);
  EXPECT_EQ(plan_.keys_seen(), 101 + 102 + 103 + 1 + 2);
  EXPECT_EQ(plan_.keys_read(), 103 + 2);
  EXPECT_EQ(plan_.max_positions(), 103);
}

}  // namespace
}  // namespace atl::kernels
