#include "common/tokenizer/added_tokens.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace atl {
namespace {

AddedTokens Make(const std::vector<std::string>& contents) {
  std::vector<AddedToken> tokens;
  for (const std::string& content : contents) {
    tokens.push_back({TokenId{static_cast<int32_t>(tokens.size())}, content});
  }
  return AddedTokens::Create(tokens).value();
}

// The literals found from the left on, and the text between them.
std::string Marked(const AddedTokens& added, std::string_view text) {
  std::string result;
  size_t done = 0;
  while (const auto match = added.FindNext(text, done)) {
    EXPECT_EQ(added.FindId(match->id)->content, text.substr(match->begin, match->size));
    result.append(text, done, match->begin - done);
    result += "[" + std::string(text.substr(match->begin, match->size)) + "]";
    done = match->begin + match->size;
  }
  return result.append(text, done);
}

TEST(AddedTokensTest, LeftmostThenLongest) {
  const AddedTokens added = Make({"<a>", "<a>b", "a>bc", "<", "<ab"});
  EXPECT_EQ(Marked(added, "x<a>bc"), "x[<a>b]c");
  EXPECT_EQ(Marked(added, "<a>"), "[<a>]");
  EXPECT_EQ(Marked(added, "<a"), "[<]a");
  EXPECT_EQ(Marked(added, "<<ab<"), "[<][<ab][<]");
  EXPECT_EQ(Marked(added, "za>bc"), "z[a>bc]");
  EXPECT_EQ(Marked(added, ""), "");
  EXPECT_EQ(Marked(Make({}), "<a>"), "<a>");
}

TEST(AddedTokensTest, EqualsASearchThatTriesEverything) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> contents;
    std::string text;
    for (int i = 0; i < 30; ++i) text += "<a|"[random() % 3];
    for (int i = 0; i < 6; ++i) {
      std::string content = text.substr(random() % 25, 1 + random() % 5);
      if (std::find(contents.begin(), contents.end(), content) == contents.end()) {
        contents.push_back(content);
      }
    }
    std::string expected;
    for (size_t at = 0; at < text.size();) {
      std::string best;
      for (const std::string& c : contents) {
        if (c.size() > best.size() && text.compare(at, c.size(), c) == 0) best = c;
      }
      expected += best.empty() ? text.substr(at, 1) : "[" + best + "]";
      at += best.empty() ? 1 : best.size();
    }
    ASSERT_EQ(Marked(Make(contents), text), expected) << text;
  }
}

TEST(AddedTokensTest, FindsByIdAndContent) {
  const AddedTokens added = Make({"<x>", "<y>"});
  EXPECT_EQ(added.FindId(TokenId{1})->content, "<y>");
  EXPECT_EQ(added.FindId(TokenId{2}), nullptr);
  EXPECT_EQ(added.FindContent("<x>")->id, TokenId{0});
  EXPECT_EQ(added.FindContent("<x"), nullptr);
}

TEST(AddedTokensTest, RefusesContradictions) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const TokenId one{1}, two{2};
  EXPECT_STATUS(AddedTokens::Create({{one, "<a>"}, {one, "<b>"}}), kInvalid, "id 1 is given to");
  EXPECT_STATUS(AddedTokens::Create({{two, "<a>"}, {one, "<a>"}}), kInvalid, "has ids");
  EXPECT_STATUS(AddedTokens::Create({{one, ""}}), kInvalid, "must be 1 to 256 bytes");
  EXPECT_STATUS(AddedTokens::Create({{one, std::string(257, 'x')}}), kInvalid, "must be 1 to 256");
  EXPECT_STATUS(AddedTokens::Create({{one, "\xFF"}}), kInvalid, "UTF-8");
}

}  // namespace
}  // namespace atl
