#include "coordinator/prompt/messages.h"

#include <gtest/gtest.h>

#include <string>

#include "common/jinja/from_json.h"
#include "common/jinja/values/printing.h"
#include "tests/support/json_node.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

// Spelled as Python's json.dumps does.
std::string Json(const JsonNode& node) {
  jinja::Budget budget{jinja::Limits{}};
  const auto text = jinja::ToJson(budget, jinja::FromJson(node), {});
  EXPECT_OK(text);
  return text.ok() ? text->bytes() : "";
}

// The messages after the mapping, or the error, as text.
std::string Mapped(const std::string& messages) {
  const auto mapped = MessagesFromOpenAi(testing::NodeOf(messages));
  return mapped.ok() ? Json(*mapped) : MessageOf(mapped.status());
}

TEST(MessagesTest, ReadsARequest) {
  ASSERT_OK_AND_ASSIGN(
      const TemplateInput input,
      ReadTemplateInput(
          R"({"model": "m", "messages": [{"role": "user", "z": 1, "a": 123456789012345678901234567890}],
                                            "tools": [{}], "chat_template_kwargs": {"enable_thinking": false}, "add_generation_prompt": false})"));
  EXPECT_EQ(Json(*input.messages),
            R"([{"role": "user", "z": 1, "a": 123456789012345678901234567890}])");
  EXPECT_EQ(Json(input.tools), "[{}]");
  EXPECT_EQ(Json(input.chat_template_kwargs), R"({"enable_thinking": false})");
  EXPECT_FALSE(input.add_generation_prompt);
  ASSERT_OK_AND_ASSIGN(const TemplateInput bare, ReadTemplateInput("{}"));
  EXPECT_TRUE(bare.add_generation_prompt);
  EXPECT_TRUE(bare.tools.is_null());
}

TEST(MessagesTest, RefusesWhatIsNoRequest) {
  EXPECT_STATUS(ReadTemplateInput("{"), absl::StatusCode::kInvalidArgument,
                "not valid JSON at byte");
  EXPECT_STATUS(ReadTemplateInput("[]"), absl::StatusCode::kInvalidArgument,
                "must be a JSON object");
  EXPECT_STATUS(ReadTemplateInput("{\"messages\": \"\xff\"}"), absl::StatusCode::kInvalidArgument,
                "not valid JSON");
  EXPECT_STATUS(ReadTemplateInput(R"({"chat_template_kwargs": []})"),
                absl::StatusCode::kInvalidArgument, "chat_template_kwargs");
  EXPECT_STATUS(ReadTemplateInput(R"({"add_generation_prompt": 1})"),
                absl::StatusCode::kInvalidArgument, "add_generation_prompt");
  EXPECT_STATUS(
      ReadTemplateInput("{\"messages\": " + std::string(300, '[') + std::string(300, ']') + "}"),
      absl::StatusCode::kInvalidArgument, "nest deeper than 200");
}

TEST(MessagesTest, RepeatedKeyKeepsItsPlaceAndLastValue) {
  EXPECT_EQ(Json(testing::NodeOf(R"({"a": 1, "b": 2, "a": 3})")), R"({"a": 3, "b": 2})");
}

TEST(MessagesTest, ParsesArguments) {
  EXPECT_EQ(
      Mapped(
          R"([{"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{\"b\": [1.0, null], \"a\": \"x\"}"}}]}])"),
      R"([{"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"b": [1.0, null], "a": "x"}}}]}])");
  EXPECT_EQ(
      Mapped(
          R"([{"tool_calls": [{"name": "f", "arguments": "{}"}, {"name": "g", "arguments": ""}, {"name": "h", "arguments": {"k": 1}}, {"name": "i"}]}])"),
      R"([{"tool_calls": [{"name": "f", "arguments": {}}, {"name": "g", "arguments": {}}, {"name": "h", "arguments": {"k": 1}}, {"name": "i"}]}])");
}

TEST(MessagesTest, RefusesArgumentsThatAreNoObject) {
  const std::string where = "messages[1].tool_calls[0].function.arguments: ";
  const auto with = [](const std::string& arguments) {
    return R"([{"role": "user"}, {"tool_calls": [{"function": {"name": "f", "arguments": ")" +
           arguments + R"("}}]}])";
  };
  EXPECT_EQ(Mapped(with("[1]")), where + "the JSON in the string must be an object, not list");
  EXPECT_EQ(Mapped(with("5")), where + "the JSON in the string must be an object, not int");
  EXPECT_THAT(Mapped(with("{\\\"a\\\": ")),
              ::testing::HasSubstr(where + "this is not valid JSON at byte"));
  EXPECT_EQ(Mapped(R"([{"tool_calls": [5]}])"),
            "messages[0].tool_calls[0]: a tool call must be an object");
  EXPECT_EQ(Mapped(R"([{"tool_calls": [{"function": "f"}]}])"),
            "messages[0].tool_calls[0].function: must be an object");
}

TEST(MessagesTest, RefusesWhatAreNoMessages) {
  EXPECT_EQ(Mapped("5"), "messages: a list of messages is required");
  EXPECT_EQ(Mapped(R"(["x"])"), "messages[0]: a message must be an object");
}

TEST(MessagesTest, MapsOnlyAFirstDeveloper) {
  EXPECT_EQ(
      Mapped(R"([{"role": "developer", "content": "d"}, {"role": "developer", "content": "e"}])"),
      R"([{"role": "system", "content": "d"}, {"role": "developer", "content": "e"}])");
}

TEST(MessagesTest, ReasoningIsReasoningContent) {
  EXPECT_EQ(Mapped(R"([{"role": "assistant", "reasoning": "r"}])"),
            R"([{"role": "assistant", "reasoning": "r", "reasoning_content": "r"}])");
  EXPECT_EQ(Mapped(R"([{"reasoning": "r", "reasoning_content": "s"}])"),
            R"([{"reasoning": "r", "reasoning_content": "s"}])");
}

}  // namespace
}  // namespace atl::coordinator
