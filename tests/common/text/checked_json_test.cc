#include "common/text/checked_json.h"

#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"

namespace atl {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr JsonLimits kLimits = {.depth_max = 3, .values_max = 6, .token_bytes_max = 8};

TEST(JsonLimitsTest, AtTheLimit) {
  EXPECT_OK(CheckJsonLimits("", kLimits));
  EXPECT_OK(CheckJsonLimits("[[[]]]", kLimits));
  EXPECT_OK(CheckJsonLimits("[1,2,3,4,5]", kLimits));
  EXPECT_OK(CheckJsonLimits(R"({"1234567": 12345678})", kLimits));
}

TEST(JsonLimitsTest, BeyondIt) {
  EXPECT_STATUS(CheckJsonLimits("[[[[", kLimits), kInvalid, "nested deeper than 3 at byte 3");
  EXPECT_STATUS(CheckJsonLimits("[1,2,3,4,5,6]", kLimits), kInvalid, "more than 6 values");
  EXPECT_STATUS(CheckJsonLimits("[1234567890]", kLimits), kInvalid,
                "text or number at byte 1 is longer than 8 bytes");
  EXPECT_STATUS(CheckJsonLimits(R"(["12345678"])", kLimits), kInvalid, "at byte 1 is longer");
}

TEST(JsonLimitsTest, BracketsInTextsDoNotCount) {
  EXPECT_OK(CheckJsonLimits(R"("[[[[,,,")", kLimits));
  EXPECT_OK(CheckJsonLimits(R"("\"[[[[")", kLimits));
  EXPECT_STATUS(CheckJsonLimits(R"("\\"[[[[)", kLimits), kInvalid, "nested deeper");
}

absl::Status Parse(const std::string& text) {
  return ParseJsonObject(text, {.depth_max = 8, .values_max = 100, .token_bytes_max = 2000})
      .status();
}

TEST(JsonObjectTest, GivesTheTree) {
  ASSERT_OK_AND_ASSIGN(const nlohmann::json json,
                       ParseJsonObject(R"({"a": [1, {"b": null}]})", {3, 10, 10}));
  EXPECT_EQ(json.dump(), R"({"a":[1,{"b":null}]})");
}

TEST(JsonObjectTest, KeysStandOnce) {
  EXPECT_OK(Parse(R"({"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]})"));
  EXPECT_STATUS(Parse(R"({"a": 1, "b": {"a": 1, "a": 2}})"), kInvalid, "a is named twice");
}

TEST(JsonObjectTest, SaysWhere) {
  EXPECT_STATUS(Parse(R"({"a": tru})"), kInvalid, "not a JSON object: byte 10 is wrong");
  EXPECT_STATUS(Parse(R"({"a": 1} x)"), kInvalid, "not a JSON object: byte 10 is wrong");
  EXPECT_STATUS(Parse(R"({"a": 1e999})"), kInvalid, "number that ends at byte 11 is too large");
  EXPECT_STATUS(Parse(R"({"a": NaN})"), kInvalid, "not a JSON object: byte");
  EXPECT_STATUS(Parse("[1]"), kInvalid, "not a JSON object");
  EXPECT_STATUS(Parse("1"), kInvalid, "not a JSON object");
  EXPECT_STATUS(Parse(""), kInvalid, "not a JSON object: byte");
  EXPECT_STATUS(Parse("{\"a\": \"\xc0\x80\"}"), kInvalid, "not a JSON object: byte");
}

}  // namespace
}  // namespace atl
