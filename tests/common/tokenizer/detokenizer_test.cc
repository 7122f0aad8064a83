#include "common/tokenizer/detokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/common/tokenizer/fixtures.h"

namespace atl {
namespace {

TEST(DetokenizerTest, HoldsBackHalfACharacter) {
  const Tokenizer& tokenizer = Nano();
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
  const Tokenizer& tokenizer = Nano();
  std::vector<TokenId> ids = tokenizer.Encode("😀", kText).value();
  ids.pop_back();
  Detokenizer detokenizer(tokenizer, SkipSpecial::kSkip);
  EXPECT_EQ(detokenizer.Append(ids), "");
  EXPECT_EQ(detokenizer.Finish(), "\uFFFD");
  EXPECT_EQ(detokenizer.Finish(), "");
}

TEST(DetokenizerTest, SpecialTokensAreHiddenOrShown) {
  const std::string text = "<|im_start|>a<think>b</think><|im_end|>";
  const std::vector<TokenId> ids = Qwen36().Encode(text, kParse).value();
  EXPECT_EQ(Decode(Qwen36(), ids, SkipSpecial::kShow), text);
  EXPECT_EQ(Decode(Qwen36(), ids, SkipSpecial::kSkip), "a<think>b</think>");
}

TEST(DetokenizerTest, AHiddenTokenDoesNotPartACharacter) {
  const Tokenizer& tokenizer = Nano();
  std::vector<TokenId> ids = tokenizer.Encode("😀", kText).value();
  ids.insert(ids.begin() + 1, *tokenizer.IdOf("<|im_end|>"));
  EXPECT_EQ(Decode(tokenizer, ids, SkipSpecial::kSkip), "😀");
}

TEST(DetokenizerTest, IdsNotInUseAddNothing) {
  const std::vector<TokenId> ids = Ids({248077, 248319, -1, INT32_MAX});
  EXPECT_EQ(Decode(Qwen36(), ids, SkipSpecial::kShow), "");
}

// The recorded lists whole, one id at a time, and cut at random.
TEST(DetokenizerTest, AnySplitGivesTheSameTextInWholeCharacters) {
  std::mt19937 random(17);
  const auto whole = [](size_t left) { return left; };
  const auto single = [](size_t) { return size_t{1}; };
  const auto cut = [&](size_t left) { return std::min<size_t>(random() % 4, left); };
  const std::function<size_t(size_t)> splits[] = {whole, single, cut, cut};
  for (const DecodeRecord& record : DecodeRecords()) {
    for (const SkipSpecial skip : {SkipSpecial::kSkip, SkipSpecial::kShow}) {
      Detokenizer detokenizer(ByName(record.tokenizer), skip);
      for (const auto& split : splits) {
        std::string text;
        for (std::span<const TokenId> rest = record.ids; !rest.empty();) {
          const size_t size = split(rest.size());
          const std::string part = detokenizer.Append(rest.first(size));
          ASSERT_TRUE(IsValidUtf8(part));
          text += part;
          rest = rest.subspan(size);
        }
        text += detokenizer.Finish();
        ASSERT_EQ(text, skip == SkipSpecial::kSkip ? record.skip : record.show);
      }
    }
  }
}

}  // namespace
}  // namespace atl
