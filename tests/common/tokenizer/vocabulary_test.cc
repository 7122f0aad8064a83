#include "common/tokenizer/bpe/vocabulary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace atl {
namespace {

TEST(VocabularyTest, FindsEveryEntryAndNothingElse) {
  Vocabulary vocabulary;
  for (int32_t id = 0; id < 5000; ++id) {
    ASSERT_OK(vocabulary.Add(TokenId{id * 3}, "entry " + std::to_string(id)));
  }
  for (int32_t id = 0; id < 5000; ++id) {
    EXPECT_EQ(vocabulary.Find("entry " + std::to_string(id)), TokenId{id * 3});
    EXPECT_EQ(vocabulary.BytesOf(TokenId{id * 3}), "entry " + std::to_string(id));
    EXPECT_EQ(vocabulary.BytesOf(TokenId{id * 3 + 1}), "");
  }
  EXPECT_EQ(vocabulary.Find("entry 5000"), kNoToken);
  EXPECT_EQ(vocabulary.Find("entry"), kNoToken);
  EXPECT_EQ(vocabulary.Find(""), kNoToken);
  EXPECT_EQ(vocabulary.id_end(), 4999 * 3 + 1);
  EXPECT_EQ(vocabulary.entry_bytes_max(), 10u);
}

// Up to eight bytes an entry is told by number; beyond, by comparison. Zeros count as bytes.
TEST(VocabularyTest, TellsEntriesOfAnyLengthApart) {
  Vocabulary vocabulary;
  std::vector<std::string> entries;
  for (size_t size = 1; size <= 33; ++size) {
    for (const char fill : {'\0', 'a', '\xFF'}) {
      for (size_t place = 0; place < size; ++place) {
        entries.emplace_back(size, fill);
        entries.back()[place] = 'b';
      }
    }
  }
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  for (size_t i = 0; i < entries.size(); i += 2) {
    ASSERT_OK(vocabulary.Add(TokenId{static_cast<int32_t>(i)}, entries[i]));
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(vocabulary.Find(entries[i]),
              i % 2 == 0 ? TokenId{static_cast<int32_t>(i)} : kNoToken);
  }
}

TEST(VocabularyTest, AnEmptyOneFindsNothing) {
  const Vocabulary vocabulary;
  EXPECT_EQ(vocabulary.Find("a"), kNoToken);
  EXPECT_EQ(vocabulary.BytesOf(TokenId{0}), "");
  EXPECT_EQ(vocabulary.BytesOf(kNoToken), "");
}

TEST(VocabularyTest, RefusesContradictions) {
  Vocabulary vocabulary;
  ASSERT_OK(vocabulary.Add(TokenId{1}, "a"));
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_STATUS(vocabulary.Add(TokenId{2}, "a"), kInvalid, "ids 1 and 2 have the same bytes");
  EXPECT_STATUS(vocabulary.Add(TokenId{1}, "b"), kInvalid, "id 1 is given to two entries");
  EXPECT_STATUS(vocabulary.Add(TokenId{3}, ""), kInvalid, "id 3 is empty");
  EXPECT_STATUS(vocabulary.Add(TokenId{-1}, "c"), kInvalid, "id -1 is not between");
  EXPECT_STATUS(vocabulary.Add(TokenId{1 << 22}, "c"), kInvalid, "is not between");
  EXPECT_EQ(vocabulary.num_entries(), 1u);
}

}  // namespace
}  // namespace atl
