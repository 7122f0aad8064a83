#include "common/text/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

namespace atl {
namespace {

using namespace std::string_literals;

std::string Repair(std::string_view bytes) {
  Utf8Repairer repairer;
  std::string out;
  repairer.Append(bytes, &out);
  repairer.Finish(&out);
  return out;
}

TEST(Utf8Test, EveryCodePointComesBack) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string bytes;
    AppendUtf8(c, &bytes);
    const Utf8Step step = DecodeUtf8(bytes, 0);
    ASSERT_TRUE(step.valid) << static_cast<uint32_t>(c);
    ASSERT_EQ(step.code_point, c);
    ASSERT_EQ(step.size, bytes.size());
  }
}

TEST(Utf8Test, RefusesWhatUnicodeRefuses) {
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_EQ(FirstInvalidUtf8("ab\x80"), 2u);
  EXPECT_EQ(FirstInvalidUtf8("\xC3\xA9\xC3"), 2u) << "cut short";
  EXPECT_FALSE(IsValidUtf8("\xC0\xAF")) << "overlong";
  EXPECT_FALSE(IsValidUtf8("\xE0\x9F\xBF")) << "overlong";
  EXPECT_FALSE(IsValidUtf8("\xF0\x8F\xBF\xBF")) << "overlong";
  EXPECT_FALSE(IsValidUtf8("\xED\xA0\x80")) << "surrogate";
  EXPECT_FALSE(IsValidUtf8("\xF4\x90\x80\x80")) << "above U+10FFFF";
  EXPECT_FALSE(IsValidUtf8("\xF5\x80\x80\x80"));
  EXPECT_TRUE(IsValidUtf8("\xF4\x8F\xBF\xBF"));
  EXPECT_TRUE(IsValidUtf8("\xED\x9F\xBF"));
}

TEST(Utf8Test, AsciiEndsAtTheFirstOtherByteWhereverItStands) {
  for (size_t size = 0; size <= 40; ++size) {
    for (size_t offset = 0; offset <= size; ++offset) {
      EXPECT_EQ(AsciiEnd(std::string(size, 'a'), offset), size);
      for (size_t place = offset; place < size; ++place) {
        std::string text(size, '\x7F');
        text[place] = '\x80';
        text.back() = place + 1 < size ? '\xFF' : text.back();
        EXPECT_EQ(AsciiEnd(text, offset), place);
      }
    }
  }
}

// The examples of the Unicode standard, chapter 3.9, tables 3-8 to 3-11.
TEST(Utf8RepairerTest, ReplacesMaximalSubparts) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(Repair("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(Repair("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(Repair("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(Repair("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(Repair("\xF0\x9F\x98"), r) << "three bytes of four are one subpart";
}

TEST(Utf8RepairerTest, WaitsForTheRestOfACharacter) {
  Utf8Repairer repairer;
  std::string out;
  for (const char* byte : {"\xF0", "\x9F", "\x98"}) {
    repairer.Append(byte, &out);
    EXPECT_EQ(out, "");
  }
  repairer.Append("\x80", &out);
  EXPECT_EQ(out, "😀");
  repairer.Append("\xE2\x82", &out);
  repairer.Append("x", &out);
  EXPECT_EQ(out, "😀\uFFFDx");
  repairer.Finish(&out);
  EXPECT_EQ(out, "😀\uFFFDx");
}

TEST(Utf8RepairerTest, OutputDoesNotDependOnTheCuts) {
  std::mt19937 random(7);
  const std::string bytes = "\xE2\x82\xAC\xF0\x9F\x98\x80\x80\xC3\xED\xA0\xF4\x90 a\xFF\xE1"s;
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 20; ++i) text += bytes[random() % bytes.size()];
    Utf8Repairer repairer;
    std::string out;
    for (size_t begin = 0; begin < text.size();) {
      const size_t size = random() % 4;
      repairer.Append(std::string_view(text).substr(begin, size), &out);
      EXPECT_TRUE(IsValidUtf8(out));
      begin += size;
    }
    repairer.Finish(&out);
    EXPECT_EQ(out, Repair(text));
  }
}

}  // namespace
}  // namespace atl
