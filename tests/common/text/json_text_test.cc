#include "common/text/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace atl {
namespace {

TEST(JsonTextTest, EscapesStrings) {
  EXPECT_EQ(JsonString("a\"b\\c\n\r\t\x01é\x7f"), "\"a\\\"b\\\\c\\n\\r\\t\\u0001é\x7f\"");
  EXPECT_EQ(JsonString("a\xff"
                       "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
  EXPECT_EQ(JsonString(""), "\"\"");
  std::string appended = "x";
  AppendJsonString("\"", &appended);
  EXPECT_EQ(appended, "x\"\\\"\"");
}

TEST(JsonTextTest, EveryCharacterReadsBack) {
  std::string text;
  for (int c = 0; c < 0x80; ++c) {
    text.push_back(static_cast<char>(c));
    EXPECT_EQ(nlohmann::json::parse(JsonString(std::string(1, static_cast<char>(c)))),
              std::string(1, static_cast<char>(c)));
  }
  text += "é世🌊\u2028\U0010ffff";
  EXPECT_EQ(nlohmann::json::parse(JsonString(text)), text);
}

}  // namespace
}  // namespace atl
