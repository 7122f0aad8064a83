#include "common/tokenizer/pre_tokenizer/unicode.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <random>
#include <string>

#include "common/text/utf8.h"
#include "common/tokenizer/pre_tokenizer/unicode_versions.h"
#include "tests/common/tokenizer/fixtures.h"

namespace atl {
namespace {

std::string NfcOf(const std::string& text) {
  std::string storage;
  return std::string(Nfc(text, &storage));
}

// The library's own normaliser: right, but quadratic on hostile runs of marks.
std::string OracleNfc(const std::string& text) {
  utf8proc_uint8_t* result = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &result,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  EXPECT_GE(size, 0);
  std::string copy(reinterpret_cast<char*>(result), static_cast<size_t>(size));
  std::free(result);
  return copy;
}

TEST(NfcTest, ComposesAndReorders) {
  EXPECT_EQ(NfcOf("e\u0301"), "\u00E9");
  EXPECT_EQ(NfcOf("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(NfcOf("\u1100\u1161\u11A8"), "\uAC01");
  EXPECT_EQ(NfcOf("\uAC00\u11A8"), "\uAC01");
  EXPECT_EQ(NfcOf("\u0958"), "\u0915\u093C") << "excluded from composition";
  EXPECT_EQ(NfcOf("\u212B"), "\u00C5");
  EXPECT_EQ(NfcOf("\uFB01"), "\uFB01") << "compatibility is not canonical";
}

TEST(NfcTest, ReturnsTheTextItselfWhenNothingIsToBeDone) {
  const std::string text = "plain ASCII, d\u00E9j\u00E0 vu, \u4F60\u597D";
  std::string storage;
  EXPECT_EQ(Nfc(text, &storage).data(), text.data());
}

bool IsInert(char32_t c) {
  return std::any_of(std::begin(kInertUnderNfc), std::end(kInertUnderNfc),
                     [c](const CodePointRange& r) { return c >= r.first && c <= r.last; });
}

TEST(NfcTest, MarksSinceUnicode9StayWhereTheyAre) {
  int num_inert = 0;
  for (char32_t c = 1; c < 0x110000; ++c) {
    if (!IsInert(c)) continue;
    ++num_inert;
    std::string text;
    AppendUtf8(c, &text);
    for (const std::string& around : {"a\u0334" + text + "\u0301", "a\u0345" + text + "b",
                                      "a" + text + "\u0323", text + text + "\u00E9"}) {
      EXPECT_EQ(NfcOf(around), around) << static_cast<uint32_t>(c);
    }
    EXPECT_EQ(NfcOf("e\u0301" + text + "\u0301\u0323"), "\u00E9" + text + "\u0323\u0301");
  }
  EXPECT_EQ(num_inert, 111);
  EXPECT_EQ(NfcOf("\U00011935\U00011930"), "\U00011935\U00011930");
}

TEST(NfcTest, EveryCodePointAloneAndAfterALetterEqualsTheLibrary) {
  for (char32_t c = 1; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    AppendUtf8(c, &text);
    ASSERT_EQ(NfcOf(text), OracleNfc(text)) << static_cast<uint32_t>(c);
    if (c >= 0x30000 || IsInert(c)) continue;
    text = "a" + text + "\u0301b";
    ASSERT_EQ(NfcOf(text), OracleNfc(text)) << static_cast<uint32_t>(c);
  }
}

TEST(NfcTest, RandomTextsEqualTheLibrary) {
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    const std::string text = NastyText(&random, 24);
    ASSERT_EQ(NfcOf(text), OracleNfc(text)) << ::testing::PrintToString(text);
    std::string dense;  // from the blocks where decompositions crowd
    for (int i = 0; i < 8; ++i) {
      constexpr char32_t kBlocks[] = {0x0041, 0x00C0, 0x0300, 0x0320, 0x0900,  0x0B40,
                                      0x0BC0, 0x0F40, 0x1100, 0x1160, 0x11A8,  0x1E00,
                                      0x1F00, 0xAC00, 0x3040, 0x3090, 0x110A0, 0x1D150};
      AppendUtf8(kBlocks[random() % std::size(kBlocks)] + random() % 64, &dense);
    }
    ASSERT_EQ(NfcOf(dense), OracleNfc(dense)) << ::testing::PrintToString(dense);
  }
}

// Marks in falling order of their classes: every exchange sort needs the square of their number.
TEST(NfcTest, AMillionMarksInTheWrongOrder) {
  std::string text = "a";
  for (int i = 0; i < 500000; ++i) text += "\u0301\u0323";
  std::string expected = "\u1EA1";
  for (int i = 1; i < 500000; ++i) expected += "\u0323";
  for (int i = 0; i < 500000; ++i) expected += "\u0301";
  EXPECT_TRUE(NfcOf(text) == expected);
}

TEST(CharClassesTest, KnowsTheFiveClasses) {
  const CharClass* classes = CharClasses();
  EXPECT_EQ(classes[U'a'], CharClass::kLetter);
  EXPECT_EQ(classes[0x4E2D], CharClass::kLetter);
  EXPECT_EQ(classes[0x301], CharClass::kMark);
  EXPECT_EQ(classes[0x20DD], CharClass::kMark);
  EXPECT_EQ(classes[U'7'], CharClass::kNumber);
  EXPECT_EQ(classes[0x2167], CharClass::kNumber);
  EXPECT_EQ(classes[0x3000], CharClass::kSpace);
  EXPECT_EQ(classes[0x85], CharClass::kSpace);
  EXPECT_EQ(classes[0x180E], CharClass::kOther) << "no white space since Unicode 6.3";
  EXPECT_EQ(classes[0x1C], CharClass::kOther);
  EXPECT_EQ(classes[0x1F600], CharClass::kOther);
  EXPECT_EQ(classes[0x10FFFF], CharClass::kOther);
  EXPECT_EQ(classes[0x1611D], CharClass::kLetter) << "since Unicode 16";
  EXPECT_EQ(classes[0x1611E], CharClass::kMark);
  EXPECT_EQ(classes[0x16139], CharClass::kNumber);
  EXPECT_EQ(classes[0x1613A], CharClass::kOther);
}

}  // namespace
}  // namespace atl
