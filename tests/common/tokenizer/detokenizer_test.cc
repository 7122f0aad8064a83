#include "common/tokenizer/detokenizer.h"

#include <gtest/gtest.h>

#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/common/tokenizer/fixtures.h"

namespace atl {
namespace {

using testing::kParse;
using testing::kText;

TEST(DetokenizerTest, HoldsBackHalfACharacter) {
  const Tokenizer& tokenizer = testing::Nano();
  const std::vector<TokenId> ids = tokenizer.Encode("😀!", kText).value();
  ASSERT_GE(ids.size(), 3u) << "the small vocabulary spells it in pieces";
  Detokenizer detokenizer(tokenizer, SkipSpecial::kSkip);
  std::vector<std::string> parts;
  for (const TokenId& id : ids) parts.push_back(detokenizer.Append(std::span(&id, 1)));
  std::vector<std::string> expected(ids.size());
  expected[ids.size() - 2] = "😀";
  expected[ids.size() - 1] = "!";
  EXPECT_EQ(parts, expected);
  EXPECT_EQ(detokenizer.Finish(), "");
}

TEST(DetokenizerTest, FinishReplacesWhatNeverCame) {
  const Tokenizer& tokenizer = testing::Nano();
  std::vector<TokenId> ids = tokenizer.Encode("😀", kText).value();
  ids.pop_back();
  Detokenizer detokenizer(tokenizer, SkipSpecial::kSkip);
  EXPECT_EQ(detokenizer.Append(ids), "");
  EXPECT_EQ(detokenizer.Finish(), "\uFFFD");
  EXPECT_EQ(detokenizer.Finish(), "");
}

TEST(DetokenizerTest, SpecialTokensAreHiddenOrShown) {
  const std::string text = "<|im_start|>a<think>b</think><|im_end|>";
  const std::vector<TokenId> ids = testing::Qwen36().Encode(text, kParse).value();
  EXPECT_EQ(Decode(testing::Qwen36(), ids, SkipSpecial::kShow), text);
  EXPECT_EQ(Decode(testing::Qwen36(), ids, SkipSpecial::kSkip), "a<think>b</think>");
}

TEST(DetokenizerTest, AHiddenTokenDoesNotPartACharacter) {
  const Tokenizer& tokenizer = testing::Nano();
  std::vector<TokenId> ids = tokenizer.Encode("😀", kText).value();
  ids.insert(ids.begin() + 1, *tokenizer.IdOf("<|im_end|>"));
  EXPECT_EQ(Decode(tokenizer, ids, SkipSpecial::kSkip), "😀");
}

TEST(DetokenizerTest, IdsNotInUseAddNothing) {
  const std::vector<TokenId> ids = testing::Ids({248077, 248319, -1, INT32_MAX});
  EXPECT_EQ(Decode(testing::Qwen36(), ids, SkipSpecial::kShow), "");
}

TEST(DetokenizerTest, AnySplitGivesTheSameTextInWholeCharacters) {
  std::mt19937 random(17);
  for (const testing::DecodeRecord& record : testing::DecodeRecords()) {
    const Tokenizer& tokenizer = testing::ByName(record.tokenizer);
    for (int round = 0; round < 8; ++round) {
      const SkipSpecial skip = round % 2 == 0 ? SkipSpecial::kSkip : SkipSpecial::kShow;
      Detokenizer detokenizer(tokenizer, skip);
      std::string text;
      for (std::span<const TokenId> rest = record.ids; !rest.empty();) {
        const size_t size = std::min<size_t>(random() % 4, rest.size());
        const std::string part = detokenizer.Append(rest.first(size));
        EXPECT_TRUE(IsValidUtf8(part));
        text += part;
        rest = rest.subspan(size);
      }
      text += detokenizer.Finish();
      EXPECT_EQ(text, skip == SkipSpecial::kSkip ? record.skip : record.show);
    }
  }
}

}  // namespace
}  // namespace atl
