#include "common/text/json_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>

#include "tests/support/json_node.h"

namespace atl {
namespace {

using testing::NodeOf;
using Kind = JsonNode::Kind;

JsonMistake MistakeIn(std::string_view text, const JsonTreeLimits& limits = {}) {
  const auto read = ReadJsonTree(text, limits);
  if (const auto* mistake = std::get_if<JsonMistake>(&read)) return *mistake;
  ADD_FAILURE() << "read: " << text.substr(0, 100);
  return {};
}

TEST(JsonTreeTest, UsageExample) {
  const auto read = ReadJsonTree(R"({"model": "m", "n": [1, null]})", {.depth_max = 2});
  ASSERT_TRUE(std::holds_alternative<JsonNode>(read));
  const JsonNode& body = std::get<JsonNode>(read);
  EXPECT_TRUE(body.Find("model")->is_string("m"));
  EXPECT_EQ(body.Find("n")->list().size(), 2u);
  EXPECT_EQ(body.Find("absent"), nullptr);
  EXPECT_EQ(body.Find("n")->Find("model"), nullptr);
}

TEST(JsonTreeTest, KeepsOrderAndDigits) {
  for (const char* text : {R"({"z":1,"a":1.50,"b":123456789012345678901234567890,"c":"}]\"{"})",
                           "[18446744073709551615,-9223372036854775808,1e300,-0.0,true,false,null]",
                           R"(["é","\u0000"])", "{}", "[]", "17", "\"\""}) {
    EXPECT_EQ(WriteJson(NodeOf(text)), text);
  }
  EXPECT_EQ(WriteJson(NodeOf("\xEF\xBB\xBF { \"a\" : [ 1 , 2 ] }\n")), R"({"a":[1,2]})");
  EXPECT_EQ(WriteJson(NodeOf(R"("\u00e9\ud83c\udf0a")")), "\"é🌊\"");
}

TEST(JsonTreeTest, NumbersHaveKinds) {
  EXPECT_EQ(NodeOf("-9223372036854775808").integer(), INT64_MIN);
  EXPECT_EQ(NodeOf("9223372036854775807").kind(), Kind::kInt);
  EXPECT_EQ(NodeOf("9223372036854775808").unsigned_integer(), uint64_t{1} << 63);
  EXPECT_EQ(NodeOf("18446744073709551616").digits(), "18446744073709551616");
  EXPECT_EQ(NodeOf("18446744073709551616").number(), 18446744073709551616.0);
  EXPECT_EQ(NodeOf("2.50").digits(), "2.50");
  EXPECT_EQ(NodeOf("2.50").number(), 2.5);
}

TEST(JsonTreeTest, ARepeatedKeyKeepsItsPlaceAndItsLastValue) {
  EXPECT_EQ(WriteJson(NodeOf(R"({"a":1,"b":2,"a":3})")), R"({"a":3,"b":2})");
  EXPECT_EQ(WriteJson(NodeOf(R"({"a":1,"\u0061":2})")), R"({"a":2})");
  // As well where keys are found by bisection.
  std::string twice, once;
  for (const char* round : {"1", "2"}) {
    for (int i = 29; i >= 0; --i) {
      twice += (twice.empty() ? "{\"" : ",\"") + std::to_string(i) + "\":" + round;
    }
  }
  for (int i = 29; i >= 0; --i) once += (i == 29 ? "{\"" : ",\"") + std::to_string(i) + "\":2";
  JsonNode node = NodeOf(twice + "}");
  EXPECT_EQ(WriteJson(node), once + "}");
  for (int i = 0; i < 30; ++i) EXPECT_NE(node.Find(std::to_string(i)), nullptr) << i;
  EXPECT_EQ(node.Find("30"), nullptr);
  node.object().Set("7", JsonNode(true));
  node.object().Set("new", JsonNode(int64_t{5}));
  node.object().Set("00", JsonNode());
  EXPECT_TRUE(node.Find("7")->boolean());
  EXPECT_EQ(node.Find("new")->integer(), 5);
  EXPECT_TRUE(node.Find("00")->is_null());
  EXPECT_EQ(node.object().size(), 32u);
  EXPECT_EQ(node.object().entries().back().first, "00");
}

TEST(JsonTreeTest, EqualsByValue) {
  EXPECT_EQ(NodeOf("1"), NodeOf("1.0"));
  EXPECT_EQ(NodeOf("18446744073709551615"), NodeOf("18446744073709551615"));
  EXPECT_EQ(NodeOf(R"({"a":[1,"x"],"b":null})"), NodeOf(R"({"b":null,"a":[1.0,"x"]})"));
  for (const char* other : {"2", "true", "\"1\"", "[1]", "{}", "null", "1.5"}) {
    EXPECT_NE(NodeOf("1"), NodeOf(other)) << other;
  }
  EXPECT_NE(NodeOf(R"({"a":1})"), NodeOf(R"({"b":1})"));
  EXPECT_NE(NodeOf("[1,2]"), NodeOf("[2,1]"));
}

TEST(JsonTreeTest, CopiesAreDeep) {
  const JsonNode original = NodeOf(R"({"a":[1,{"b":"c"}],"d":1.50})");
  JsonNode copy = original;
  copy.object().Find("a")->list()[0] = JsonNode(std::string("changed"));
  copy.object().Set("e", JsonNode());
  EXPECT_EQ(WriteJson(original), R"({"a":[1,{"b":"c"}],"d":1.50})");
  EXPECT_EQ(WriteJson(copy), R"({"a":["changed",{"b":"c"}],"d":1.50,"e":null})");
}

TEST(JsonTreeTest, SaysWhatIsWrongWhere) {
  EXPECT_EQ(MistakeIn("{\"a\":[],}").kind, JsonMistake::Kind::kSyntax);
  EXPECT_EQ(MistakeIn("{\"a\":[],}").byte, 9u);
  for (const char* text :
       {"", "{", "{} x", "01", "NaN", "\"\\ud800\"", "\"\xff\"", "'a'", "[1,]"}) {
    EXPECT_EQ(MistakeIn(text).kind, JsonMistake::Kind::kSyntax) << text;
  }
  const JsonMistake large = MistakeIn(R"({"a":1,"b":{"c":[1e999]}})");
  EXPECT_EQ(large.kind, JsonMistake::Kind::kNumberTooLarge);
  EXPECT_EQ(large.field, "b");
}

TEST(JsonTreeTest, IsBounded) {
  EXPECT_EQ(MistakeIn("{\"a\":[[1]]}", {.depth_max = 2}).kind, JsonMistake::Kind::kTooDeep);
  EXPECT_EQ(MistakeIn("{\"a\":[[1]]}", {.depth_max = 2}).field, "a");
  EXPECT_EQ(MistakeIn(std::string(3'000'000, '[')).kind, JsonMistake::Kind::kTooDeep);
  NodeOf(std::string(200, '[') + std::string(200, ']'));
  EXPECT_EQ(MistakeIn("[1,2,3]", {.values_max = 3}).kind, JsonMistake::Kind::kTooManyValues);
  EXPECT_TRUE(std::holds_alternative<JsonNode>(ReadJsonTree("[1,2,3]", {.values_max = 4})));
}

}  // namespace
}  // namespace atl
