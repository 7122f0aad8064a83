#include "common/tokenizer/bpe/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "tests/common/tokenizer/fixtures.h"
#include "tests/support/status_matchers.h"

namespace atl {
namespace {

// All bytes, with ids in their order, then the given entries from id 256 on.
Vocabulary BytesAnd(const std::vector<std::string>& entries) {
  Vocabulary vocabulary;
  for (int32_t byte = 0; byte < 256; ++byte) {
    CHECK_OK(vocabulary.Add(TokenId{byte}, std::string(1, static_cast<char>(byte))));
  }
  for (const std::string& entry : entries) {
    CHECK_OK(vocabulary.Add(TokenId{static_cast<int32_t>(vocabulary.id_end())}, entry));
  }
  return vocabulary;
}

std::vector<std::string> Tokens(const Bpe& bpe, std::string_view word) {
  std::vector<TokenId> ids;
  bpe.Encode(word, &ids);
  std::vector<std::string> tokens;
  for (const TokenId id : ids) tokens.emplace_back(bpe.vocabulary().BytesOf(id));
  return tokens;
}

using Strings = std::vector<std::string>;

TEST(BpeTest, LowestRankFirstThenLeftmost) {
  ASSERT_OK_AND_ASSIGN(const Bpe bpe, Bpe::FromRanks(BytesAnd({"bc", "ab", "aa", "aaa"})));
  EXPECT_EQ(Tokens(bpe, "abc"), Strings({"a", "bc"}));
  EXPECT_EQ(Tokens(bpe, "aaaaa"), Strings({"aa", "aaa"}));
  EXPECT_EQ(Tokens(bpe, "aaa"), Strings({"aaa"}));
  EXPECT_EQ(Tokens(bpe, ""), Strings());
}

TEST(BpeTest, OnlyListedPairsMerge) {
  // "abc" comes from "ab"+"c" alone: with "bc" merged first it is out of reach, as it is not with
  // ranks.
  const std::vector<Merge> merges = {{TokenId{'b'}, TokenId{'c'}}, {TokenId{256}, TokenId{'c'}}};
  ASSERT_OK_AND_ASSIGN(const Bpe bpe, Bpe::FromMerges(BytesAnd({"ab", "bc", "abc"}), merges));
  EXPECT_EQ(Tokens(bpe, "abc"), Strings({"a", "bc"}));
  EXPECT_EQ(Tokens(bpe, "abab"), Strings({"a", "b", "a", "b"}));
  ASSERT_OK_AND_ASSIGN(const Bpe ranks, Bpe::FromRanks(BytesAnd({"bc", "ab", "abc"})));
  EXPECT_EQ(Tokens(ranks, "abc"), Strings({"abc"}));
}

TEST(BpeTest, RefusesBadVocabularies) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  Vocabulary incomplete;
  ASSERT_OK(incomplete.Add(TokenId{0}, std::string(1, '\0')));
  EXPECT_STATUS(Bpe::FromRanks(std::move(incomplete)), kInvalid, "byte 0x01 has no entry");
  const Merge ab = {TokenId{'a'}, TokenId{'b'}};
  EXPECT_STATUS(Bpe::FromMerges(BytesAnd({}), {ab}), kInvalid, "merge 0 joins ids 97 and 98");
  EXPECT_STATUS(Bpe::FromMerges(BytesAnd({"ab"}), {ab, ab}), kInvalid, "merge 1 repeats merge 0");
}

// The definition, word for word: look at all pairs, join the best, begin again.
Strings Slowly(const Bpe& bpe, std::string_view word) {
  Strings tokens;
  for (const char byte : word) tokens.emplace_back(1, byte);
  while (true) {
    size_t best = tokens.size();
    TokenId best_id{INT32_MAX};
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      const TokenId id = bpe.vocabulary().Find(tokens[i] + tokens[i + 1]);
      if (id != kNoToken && id < best_id) {
        best = i;
        best_id = id;
      }
    }
    if (best == tokens.size()) return tokens;
    tokens[best] += tokens[best + 1];
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

// Ever longer strings over few letters, so that merges compete.
Strings Rivals(std::mt19937* random) {
  Strings entries;
  while (entries.size() < 400) {
    const auto pick = [&] {
      return (*random)() % 3 != 0 && !entries.empty() ? entries[(*random)() % entries.size()]
                                                      : std::string(1, "abcd"[(*random)() % 4]);
    };
    const std::string entry = pick() + pick();
    const bool is_new = std::find(entries.begin(), entries.end(), entry) == entries.end();
    if (entry.size() <= 24 && is_new) entries.push_back(entry);
  }
  return entries;
}

// Words on both sides of the length from which the heap is used, and the entries themselves. In a
// shuffled vocabulary an entry may hold parts of higher rank, or be out of reach.
TEST(BpeTest, ShortAndLongWordsFollowTheDefinition) {
  std::mt19937 random(5);
  for (int vocabulary = 0; vocabulary < 8; ++vocabulary) {
    Strings entries = Rivals(&random);
    if (vocabulary % 2 != 0) std::shuffle(entries.begin(), entries.end(), random);
    ASSERT_OK_AND_ASSIGN(const Bpe bpe, Bpe::FromRanks(BytesAnd(entries)));
    for (int round = 0; round < 500; ++round) {
      std::string word;
      for (size_t i = random() % 120; i > 0; --i) word += "abcd"[random() % 4];
      ASSERT_EQ(Tokens(bpe, word), Slowly(bpe, word)) << word;
    }
    for (const std::string& entry : entries) ASSERT_EQ(Tokens(bpe, entry), Slowly(bpe, entry));
  }
}

// The published vocabulary has 201 entries that no merge makes: their bytes are other ids.
TEST(BpeTest, EveryEntryOfTheRealVocabularyFollowsTheDefinition) {
  const Tokenizer& tokenizer = Qwen36();
  Vocabulary vocabulary;
  for (int32_t id = 0; id < 248044; ++id) {
    ASSERT_OK(vocabulary.Add(TokenId{id}, tokenizer.TokenBytes(TokenId{id})));
  }
  ASSERT_OK_AND_ASSIGN(const Bpe bpe, Bpe::FromRanks(std::move(vocabulary)));
  int num_unreached = 0;
  for (int32_t id = 0; id < 248044; ++id) {
    const std::string_view bytes = tokenizer.TokenBytes(TokenId{id});
    const Strings tokens = Tokens(bpe, bytes);
    if (tokens.size() > 1) ++num_unreached;
    if (tokens.size() == 1 && id % 16 != 0) continue;
    ASSERT_EQ(tokens, Slowly(bpe, bytes)) << id;
  }
  EXPECT_EQ(num_unreached, 201);
}

// At a million bytes anything quadratic takes hours, and the test's time-out strikes.
TEST(BpeTest, AMillionBytesInOneWord) {
  for (const char* unit : {"a", "ab", "=", "\xF0\x9F\x98\x80", "\xCC\x81", " ", "\n", "thequick"}) {
    std::string word;
    while (word.size() < 1'000'000) word += unit;
    for (const Tokenizer* tokenizer : {&Qwen36(), &Nano()}) {
      const std::vector<TokenId> ids = tokenizer->Encode(word, kText).value();
      std::string back;
      for (const TokenId id : ids) back += tokenizer->TokenBytes(id);
      EXPECT_TRUE(back == word) << unit;
    }
  }
}

}  // namespace
}  // namespace atl
