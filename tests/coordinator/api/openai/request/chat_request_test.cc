#include "coordinator/api/openai/request/chat_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/coordinator/api/openai/request/parse.h"

namespace atl::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ChatRequestTest, ReadsTheConversation) {
  const ChatRequest request = AcceptedChat(ChatBody(
      R"("tools":[{"type":"function","function":{"name":"f"}}],
         "chat_template_kwargs":{"enable_thinking":false},"add_generation_prompt":false)"));
  EXPECT_EQ(WriteJson(request.messages), R"([{"role":"user","content":"hi"}])");
  EXPECT_EQ(WriteJson(request.tools), R"([{"type":"function","function":{"name":"f"}}])");
  EXPECT_EQ(WriteJson(request.chat_template_kwargs), R"({"enable_thinking":false})");
  EXPECT_FALSE(request.add_generation_prompt);
}

TEST(ChatRequestTest, AbsentAndNullAreTheSame) {
  for (const char* more : {"", R"("tools":null,"tool_choice":null,"chat_template_kwargs":null,
               "add_generation_prompt":null,"top_logprobs":null,"chat_template":null)"}) {
    const ChatRequest request = AcceptedChat(ChatBody(more));
    EXPECT_TRUE(request.tools.is_null());
    EXPECT_TRUE(request.chat_template_kwargs.is_null());
    EXPECT_TRUE(request.add_generation_prompt);
    EXPECT_EQ(request.generation.top_logprobs, -1);
  }
}

TEST(ChatRequestTest, LogprobsHaveASwitchAndANumber) {
  const auto top = [](const char* more) {
    return AcceptedChat(ChatBody(more)).generation.top_logprobs;
  };
  EXPECT_EQ(top(R"("logprobs":true)"), 0);
  EXPECT_EQ(top(R"("logprobs":true,"top_logprobs":20)"), 20);
  EXPECT_EQ(top(R"("logprobs":false,"top_logprobs":0)"), -1);
  EXPECT_THAT(RefusedChat(ChatBody(R"("top_logprobs":5)")).message,
              HasSubstr("top_logprobs: only allowed when logprobs is true"));
  EXPECT_EQ(RefusedChat(ChatBody(R"("logprobs":true,"top_logprobs":21)")).param, "top_logprobs");
  EXPECT_EQ(RefusedChat(ChatBody(R"("logprobs":true,"top_logprobs":-1)")).param, "top_logprobs");
  EXPECT_EQ(RefusedChat(ChatBody(R"("logprobs":1)")).param, "logprobs");
}

TEST(ChatRequestTest, ToolsOfAChoiceOfNoneAreLeftOut) {
  const std::string tools = R"("tools":[{"type":"function","function":{"name":"f"}}])";
  EXPECT_TRUE(AcceptedChat(ChatBody(tools + R"(,"tool_choice":"none")")).tools.is_null());
  EXPECT_FALSE(AcceptedChat(ChatBody(tools + R"(,"tool_choice":"auto")")).tools.is_null());
  EXPECT_TRUE(AcceptedChat(ChatBody(R"("tools":[],"tool_choice":"auto")")).tools.is_null());
}

TEST(ChatRequestTest, RefusesByName) {
  struct Case {
    const char* more;
    const char* param;
    const char* message;
  };
  const Case cases[] = {
      {R"("chat_template_kwargs":[])", "chat_template_kwargs", "expected an object, got a list"},
      {R"("chat_template":"{{ 1 }}")", "chat_template", "not supported"},
      {R"("continue_final_message":true)", "continue_final_message", "only false"},
      {R"("echo":true)", "echo", "only false"},
      {R"("include_reasoning":false)", "include_reasoning", "only true"},
      {R"("tool_choice":"required")", "tool_choice", "auto"},
      {R"("tool_choice":{"type":"function"})", "tool_choice", "auto"},
      {R"("tools":{})", "tools", "list"},
      {R"("tools":[{}])", "tools[0]", "function"},
      {R"("tools":[3])", "tools[0]", "function"},
      {R"("tools":[{"type":"function","function":{"name":"f"}},
                   {"type":"function","function":{"name":3}}])",
       "tools[1]", "function"},
  };
  for (const Case& c : cases) {
    const ApiError error = RefusedChat(ChatBody(c.more));
    EXPECT_EQ(error.param, c.param);
    EXPECT_THAT(error.message, HasSubstr(c.message));
    EXPECT_THAT(error.message, StartsWith(c.param));
  }
}

TEST(ChatRequestTest, ChecksTheFormOfMessages) {
  struct Case {
    const char* messages;
    const char* param;
    const char* message;
  };
  const Case cases[] = {
      {"null", "messages", "required"},
      {"3", "messages", "expected a list"},
      {"[]", "messages", "expected 1 to"},
      {"[3]", "messages[0]", "expected an object, got 3"},
      {"[null]", "messages[0]", "expected an object, got null"},
      {"[{}]", "messages[0].role", "expected a string, got null"},
      {R"([{"role":"user"},{"role":7}])", "messages[1].role", "got 7"},
      {R"([{"role":"user","content":7}])", "messages[0].content", "got 7"},
      {R"([{"role":"user","content":{}}])", "messages[0].content", "got an object"},
      {R"([{"role":"user","content":["x"]}])", "messages[0].content", "objects, got a string"},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "messages[0].content", "string in text"},
      {R"([{"role":"user","content":[{"type":7}]}])", "messages[0].content", "part, got 7"},
      {R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:"}}]}])",
       "messages[0].content", "\"image_url\" are not supported"},
  };
  for (const Case& c : cases) {
    const ApiError error = RefusedChat(std::string(R"({"messages":)") + c.messages + "}");
    EXPECT_EQ(error.param, c.param);
    EXPECT_THAT(error.message, HasSubstr(c.message));
  }
  AcceptedChat(R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"text":""}]},
                               {"role":"assistant","content":null,"tool_calls":[]},
                               {"role":"tool","tool_call_id":"1","content":"\u0000"}]})");
  EXPECT_EQ(RefusedChat("{}").param, "messages");
}

TEST(ChatRequestTest, LongTextsDoNotComeBackInErrors) {
  const std::string type(100'000, 't');
  EXPECT_THAT(
      RefusedChat(R"({"messages":[{"role":"user","content":[{"type":")" + type + "\"}]}]}").message,
      HasSubstr("ttt...\" are not supported"));
}

TEST(ChatRequestTest, KeepsWhatTheClientWrote) {
  const std::string tools =
      R"([{"type":"function","function":{"name":"f","z":1,"a":1.50,"b":123456789012345678901234567890,)"
      R"("c":"}]\"{"}}])";
  EXPECT_EQ(WriteJson(AcceptedChat(ChatBody("\"tools\" : " + tools)).tools), tools);
  // The last of two keys of one name counts, for the check and for the template.
  const ChatRequest twice = AcceptedChat(
      R"({"messages":3,"m":{"messages":4},"messag\u0065s":[{"role":"user","content":"b"}]})");
  EXPECT_EQ(WriteJson(twice.messages), R"([{"role":"user","content":"b"}])");
}

}  // namespace
}  // namespace atl::coordinator
