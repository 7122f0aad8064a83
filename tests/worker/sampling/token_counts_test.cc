#include "worker/sampling/token_counts.h"

#include <gtest/gtest.h>

#include <vector>

namespace atl::worker {
namespace {

std::vector<TokenId> Ids(std::initializer_list<int32_t> values) {
  std::vector<TokenId> ids;
  for (const int32_t value : values) ids.push_back(TokenId{value});
  return ids;
}

using Counts = std::unordered_map<TokenId, int32_t>;

TEST(TokenCountsTest, PromptAndAnswerApart) {
  TokenCounts counts(3);
  counts.Extend(0, Ids({5, 6}));
  counts.Extend(2, Ids({5, 7, 5}));  // one of the prompt, two of the answer
  EXPECT_EQ(counts.in_answer(), (Counts{{TokenId{5}, 1}, {TokenId{6}, 0}, {TokenId{7}, 1}}));
  counts.Extend(5, Ids({7}));
  EXPECT_EQ(counts.in_answer(), (Counts{{TokenId{5}, 1}, {TokenId{6}, 0}, {TokenId{7}, 2}}));
}

// An abandoned step is planned again, perhaps in other chunks.
TEST(TokenCountsTest, WhatComesAgainCountsOnce) {
  TokenCounts counts(1);
  counts.Extend(0, Ids({1, 2, 2}));
  const Counts before = counts.in_answer();
  counts.Extend(0, Ids({1, 2, 2}));
  counts.Extend(1, Ids({2}));
  EXPECT_EQ(counts.in_answer(), before);
  counts.Extend(2, Ids({2, 9}));
  EXPECT_EQ(counts.in_answer(), (Counts{{TokenId{1}, 0}, {TokenId{2}, 2}, {TokenId{9}, 1}}));
}

TEST(TokenCountsDeathTest, NoTokenIsLeftOut) {
  TokenCounts counts(1);
  EXPECT_DEATH(counts.Extend(1, Ids({1})), "never counted");
}

TEST(TokenCountsTest, AreKeptOnlyForPenalties) {
  EXPECT_FALSE(NeedsTokenCounts({.min_p = 0.1f, .min_tokens = 3}));
  EXPECT_TRUE(NeedsTokenCounts({.presence_penalty = -0.5f}));
  EXPECT_TRUE(NeedsTokenCounts({.frequency_penalty = 0.5f}));
  EXPECT_TRUE(NeedsTokenCounts({.repetition_penalty = 1.1f}));
}

}  // namespace
}  // namespace atl::worker
