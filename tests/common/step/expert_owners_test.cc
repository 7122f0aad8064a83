#include "common/step/expert_owners.h"

#include <algorithm>

#include "tests/support/status_matchers.h"

namespace atl {
namespace {

TEST(ExpertOwnersTest, FirstRanksOwnOneMore) {
  const auto owners = ContiguousOwners({.num_layers = 2, .num_experts = 8}, 3);
  EXPECT_EQ(owners, (std::vector<std::vector<int32_t>>(2, {0, 0, 0, 1, 1, 1, 2, 2})));
}

TEST(ExpertOwnersTest, MoreRanksThanExpertsLeavesTheLastWithout) {
  const auto owners = ContiguousOwners({.num_layers = 1, .num_experts = 2}, 3);
  EXPECT_EQ(owners, (std::vector<std::vector<int32_t>>{{0, 1}}));
}

TEST(ExpertOwnersTest, EveryExpertHasOneOwnerAndSharesDifferByOneAtMost) {
  for (int32_t ranks = 1; ranks <= 9; ++ranks) {
    for (const int32_t experts : {1, 7, 64, 256}) {
      const auto owners = ContiguousOwners({.num_layers = 1, .num_experts = experts}, ranks);
      ASSERT_EQ(owners[0].size(), static_cast<size_t>(experts));
      EXPECT_TRUE(std::is_sorted(owners[0].begin(), owners[0].end()));
      for (int32_t rank = 0; rank < ranks; ++rank) {
        const auto share = std::count(owners[0].begin(), owners[0].end(), rank);
        EXPECT_EQ(share, experts / ranks + (rank < experts % ranks ? 1 : 0));
      }
    }
  }
}

}  // namespace
}  // namespace atl
