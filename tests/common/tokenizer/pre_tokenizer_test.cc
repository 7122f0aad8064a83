#include "common/tokenizer/pre_tokenizer/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <gtest/gtest.h>
#include <pcre2.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "common/text/utf8.h"
#include "common/tokenizer/pre_tokenizer/unicode.h"
#include "tests/common/tokenizer/fixtures.h"

namespace atl {
namespace {

std::vector<std::string> Words(std::string_view text, Pattern pattern) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = WordEnd(text, begin, pattern);
    CHECK(end > begin && end <= text.size(), "word {} to {}", begin, end);
    words.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

// The expression itself, run by a regular-expression library.
class Oracle {
 public:
  explicit Oracle(std::string_view regex) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(regex.data()), regex.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY, &error, &offset, nullptr);
    CHECK(code_ != nullptr, "pcre2 error {} at {}", error, offset);
    data_ = pcre2_match_data_create_from_pattern(code_, nullptr);
  }
  ~Oracle() {
    pcre2_match_data_free(data_);
    pcre2_code_free(code_);
  }
  Oracle(const Oracle&) = delete;

  // The end of the match that begins exactly at `begin`; npos when there is none.
  size_t MatchEnd(std::string_view text, size_t begin) const {
    const int rc = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), begin,
                               PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED, data_, nullptr);
    return rc < 0 ? std::string_view::npos : pcre2_get_ovector_pointer(data_)[1];
  }
  std::vector<std::string> Words(std::string_view text) const {
    std::vector<std::string> words;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = MatchEnd(text, begin);
      CHECK(end != std::string_view::npos, "no match at {}", begin);
      words.emplace_back(text.substr(begin, end - begin));
      begin = end;
    }
    return words;
  }

 private:
  pcre2_code* code_;
  pcre2_match_data* data_;
};

class PreTokenizerTest : public ::testing::TestWithParam<Pattern> {};

TEST_P(PreTokenizerTest, RandomTextsEqualTheExpression) {
  const Oracle oracle(RegexOf(GetParam()));
  std::mt19937 random(23);
  for (int round = 0; round < 60000; ++round) {
    const std::string text = NastyText(&random, 16);
    ASSERT_EQ(Words(text, GetParam()), oracle.Words(text)) << ::testing::PrintToString(text);
  }
}

TEST_P(PreTokenizerTest, AllShortTextsOverOneCharacterOfEachKind) {
  const Oracle oracle(RegexOf(GetParam()));
  const std::vector<std::string> kinds = {"a", "s", "'", "\u0301", "7", " ", "\t", "\n", "!"};
  constexpr size_t kLength = 5;
  for (size_t code = 0; code < 59049; ++code) {  // 9^5
    std::string text;
    for (size_t i = 0, rest = code; i < kLength; ++i, rest /= kinds.size()) {
      text += kinds[rest % kinds.size()];
    }
    ASSERT_EQ(Words(text, GetParam()), oracle.Words(text)) << ::testing::PrintToString(text);
  }
}

TEST_P(PreTokenizerTest, RegexIsRecognised) {
  EXPECT_EQ(PatternOfRegex(RegexOf(GetParam())), GetParam());
  EXPECT_EQ(PatternOfRegex(std::string(RegexOf(GetParam())) + " "), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Patterns, PreTokenizerTest,
                         ::testing::Values(Pattern::kQwen2, Pattern::kQwen35),
                         [](const auto& info) {
                           return info.param == Pattern::kQwen2 ? "Qwen2" : "Qwen35";
                         });

TEST(PreTokenizerMarksTest, StayWithTheirLettersOnlyInQwen35) {
  using Strings = std::vector<std::string>;
  EXPECT_EQ(Words("xe\u0301y", Pattern::kQwen35), Strings({"xe\u0301y"}));
  EXPECT_EQ(Words("xe\u0301y", Pattern::kQwen2), Strings({"xe", "\u0301y"}));
}

// Both libraries' tables, wherever both know the code point.
TEST(CharClassesOracleTest, EveryCodePointEqualsTheLibrary) {
  const Oracle letter("\\p{L}"), mark("\\p{M}"), number("\\p{N}"), space("\\s"), unknown("\\p{Cn}");
  int num_known = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    if (c == 0x180E) continue;  // PCRE2 still takes it for a space
    std::string text;
    AppendUtf8(c, &text);
    if (unknown.MatchEnd(text, 0) == text.size()) continue;
    ++num_known;
    const auto is = [&](const Oracle& oracle) { return oracle.MatchEnd(text, 0) == text.size(); };
    const CharClass expected = is(letter)   ? CharClass::kLetter
                               : is(mark)   ? CharClass::kMark
                               : is(number) ? CharClass::kNumber
                               : is(space)  ? CharClass::kSpace
                                            : CharClass::kOther;
    EXPECT_EQ(CharClasses()[c], expected) << std::hex << static_cast<uint32_t>(c);
  }
  EXPECT_GT(num_known, 140000);
}

}  // namespace
}  // namespace atl
