#include "common/text/printable.h"

#include <gtest/gtest.h>

namespace atl {
namespace {

TEST(PrintableTest, PlainTextStays) {
  EXPECT_EQ(Printable(""), "");
  EXPECT_EQ(Printable("layers.0.mlp"), "layers.0.mlp");
  EXPECT_EQ(Printable("caf\u00e9 \u4e16\u754c \U0001f30a"), "caf\u00e9 \u4e16\u754c \U0001f30a");
}

TEST(PrintableTest, ControlCharactersAreSpelled) {
  EXPECT_EQ(Printable("a\nb\t\x7f"), "a\\x0ab\\x09\\x7f");
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(Printable("\u0085"), "\\xc2\\x85");
  EXPECT_EQ(Printable("\u2028"), "\\xe2\\x80\\xa8");
}

TEST(PrintableTest, BytesThatAreNoUtf8AreSpelled) {
  EXPECT_EQ(Printable("\xff"), "\\xff");
  EXPECT_EQ(Printable("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(Printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(Printable("\xe4\xb8"), "\\xe4\\xb8");  // cut in two
}

TEST(PrintableTest, TheCutFallsBetweenCharacters) {
  EXPECT_EQ(Printable("12345678", 8), "12345678");
  EXPECT_EQ(Printable("123456789", 8), "12345...");
  EXPECT_EQ(Printable("1234\u00e9789", 8), "1234...");
  EXPECT_EQ(Printable("1234\n6789", 8), "1234...");
  EXPECT_EQ(Printable(std::string(1 << 20, 'x')).size(), 80u);
}

}  // namespace
}  // namespace atl
