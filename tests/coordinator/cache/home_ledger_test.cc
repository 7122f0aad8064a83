#include "coordinator/cache/home_ledger.h"

#include <set>

#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

TEST(HomeLedgerTest, CountsBlocksOfTokens) {
  EXPECT_EQ(BlocksOf(0), 0);
  EXPECT_EQ(BlocksOf(1), 1);
  EXPECT_EQ(BlocksOf(64), 1);
  EXPECT_EQ(BlocksOf(65), 2);
  EXPECT_EQ(BlocksOf(1'010'000), 15782);
}

TEST(HomeLedgerTest, PromisedBlocksAreNotFreeForOthers) {
  HomeLedger ledger(10, 2);
  ledger.Admit(SeqId{1}, 7);
  EXPECT_EQ(ledger.num_blocks_free(), 3);
  EXPECT_FALSE(ledger.CanAdmit(4));
  EXPECT_TRUE(ledger.CanAdmit(3));
  EXPECT_EQ(ledger.Take(SeqId{1}, 2).size(), 2u);
  EXPECT_EQ(ledger.num_blocks_free(), 3);
  ledger.Release(SeqId{1});
  EXPECT_EQ(ledger.num_blocks_free(), 10);
}

TEST(HomeLedgerTest, BlocksBeyondThePromiseComeFromTheFreeOnes) {
  HomeLedger ledger(10, 2);
  ledger.Admit(SeqId{1}, 2);
  ledger.Admit(SeqId{2}, 5);
  EXPECT_EQ(ledger.Take(SeqId{1}, 3).size(), 3u);
  EXPECT_EQ(ledger.num_blocks_free(), 2);
  EXPECT_EQ(ledger.Take(SeqId{1}, 2).size(), 2u);
  EXPECT_EQ(ledger.num_blocks_free(), 0);
  EXPECT_EQ(ledger.Take(SeqId{2}, 5).size(), 5u);
  ledger.Release(SeqId{2});
  EXPECT_EQ(ledger.num_blocks_free(), 5);
  ledger.Release(SeqId{1});
  EXPECT_EQ(ledger.num_blocks_free(), 10);
}

TEST(HomeLedgerTest, WithoutASlotNobodyIsAdmitted) {
  HomeLedger ledger(10, 1);
  ledger.Admit(SeqId{1}, 1);
  EXPECT_FALSE(ledger.CanAdmit(1));
  ledger.Release(SeqId{1});
  EXPECT_TRUE(ledger.CanAdmit(1));
}

TEST(HomeLedgerTest, EveryBlockIsHandedOutOnceAndComesBack) {
  HomeLedger ledger(6, 3);
  for (int round = 0; round < 3; ++round) {
    std::set<BlockId> blocks;
    std::set<SlotId> slots;
    for (uint64_t i = 0; i < 3; ++i) {
      slots.insert(ledger.Admit(SeqId{i}, 2));
      for (int n = 0; n < 2; ++n) blocks.insert(ledger.Take(SeqId{i}, 1).at(0));
    }
    EXPECT_EQ(blocks.size(), 6u);
    EXPECT_EQ(*blocks.begin(), BlockId{0});
    EXPECT_EQ(*blocks.rbegin(), BlockId{5});
    EXPECT_EQ(slots.size(), 3u);
    EXPECT_EQ(ledger.num_sequences(), 3);
    for (uint64_t i = 0; i < 3; ++i) ledger.Release(SeqId{(i + round) % 3});
  }
}

TEST(HomeLedgerDeathTest, MisuseIsOurOwnMistake) {
  HomeLedger ledger(4, 2);
  ledger.Admit(SeqId{1}, 2);
  EXPECT_DEATH(ledger.Admit(SeqId{1}, 1), "admitted twice");
  EXPECT_DEATH(ledger.Admit(SeqId{2}, 3), "2 are free");
  EXPECT_DEATH(ledger.Take(SeqId{1}, 5), "takes 5 blocks, 2 are promised and 2 free");
  EXPECT_DEATH(ledger.Take(SeqId{2}, 1), "holds nothing");
  ledger.Release(SeqId{1});
  EXPECT_DEATH(ledger.Release(SeqId{1}), "released twice");
}

}  // namespace
}  // namespace atl::coordinator
