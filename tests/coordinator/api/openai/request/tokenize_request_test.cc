#include "coordinator/api/openai/request/tokenize_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/coordinator/api/openai/request/parse.h"

namespace atl::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TokenizeRequestTest, TakesATextOrMessages) {
  const TokenizeRequest text = Accepted(ParseTokenizeRequest(
      R"({"model":"m","prompt":"","add_special_tokens":false,"return_token_strs":true})", kLimits));
  EXPECT_EQ(text.model, "m");
  EXPECT_EQ(text.prompt, "");
  EXPECT_FALSE(text.add_special_tokens);
  EXPECT_TRUE(text.return_token_strs);
  const TokenizeRequest chat = Accepted(ParseTokenizeRequest(
      R"({"model":"m","messages":[{"role":"user","content":"hi"}],"prompt":null,
          "tools":[{"type":"function","function":{"name":"f"}}],
          "chat_template_kwargs":{"a":1},"add_generation_prompt":false})",
      kLimits));
  EXPECT_FALSE(chat.prompt);
  EXPECT_EQ(chat.chat.generation.model, "m");
  EXPECT_EQ(WriteJson(chat.chat.messages), R"([{"role":"user","content":"hi"}])");
  EXPECT_EQ(WriteJson(chat.chat.tools), R"([{"type":"function","function":{"name":"f"}}])");
  EXPECT_EQ(WriteJson(chat.chat.chat_template_kwargs), R"({"a":1})");
  EXPECT_FALSE(chat.chat.add_generation_prompt);
  EXPECT_TRUE(chat.add_special_tokens);
  EXPECT_FALSE(chat.return_token_strs);
}

TEST(TokenizeRequestTest, RefusesByName) {
  struct Case {
    const char* body;
    const char* param;
    const char* message;
  };
  const Case cases[] = {
      {"{}", "prompt", "prompt or messages is required"},
      {R"({"prompt":null})", "prompt", "prompt or messages is required"},
      {R"({"prompt":["a"]})", "prompt", "expected a string, got a list"},
      {R"({"prompt":"a","messages":[{"role":"user"}]})", "messages", "not allowed beside prompt"},
      {R"({"messages":[]})", "messages", "expected 1 to"},
      {R"({"messages":[{"role":3}]})", "messages[0].role", "got 3"},
      {R"({"messages":[{"role":"user"}],"chat_template":"x"})", "chat_template", "not supported"},
      {R"({"prompt":"a","model":3})", "model", "expected a string, got 3"},
      {R"({"prompt":"a","add_special_tokens":1})", "add_special_tokens", "true or false, got 1"},
      {R"({"prompt":"a","return_token_strs":"y"})", "return_token_strs", "got a string"},
      {R"({"prompt":"\udc00"})", "", "not valid JSON"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.body);
    const ApiError error = Refused(ParseTokenizeRequest(c.body, kLimits));
    EXPECT_EQ(error.param, c.param);
    EXPECT_THAT(error.message, HasSubstr(c.message));
  }
}

TEST(DetokenizeRequestTest, ReadsIds) {
  const DetokenizeRequest request =
      Accepted(ParseDetokenizeRequest(R"({"model":"m","tokens":[0,4095,1.0]})", kLimits));
  EXPECT_EQ(request.model, "m");
  EXPECT_THAT(request.tokens, ElementsAre(TokenId{0}, TokenId{4095}, TokenId{1}));
  EXPECT_THAT(Accepted(ParseDetokenizeRequest(R"({"tokens":[]})", kLimits)).tokens, IsEmpty());
}

TEST(DetokenizeRequestTest, RefusesByName) {
  for (const char* tokens : {"null", "3", "\"1\"", "{}", "true", "[4096]", "[-1]", "[\"1\"]",
                             "[null]", "[1.5]", "[[1]]", "[1e300]"}) {
    SCOPED_TRACE(tokens);
    const ApiError error =
        Refused(ParseDetokenizeRequest(std::string("{\"tokens\":") + tokens + "}", kLimits));
    EXPECT_EQ(error.param, "tokens");
    EXPECT_THAT(error.message, ::testing::StartsWith("tokens: "));
  }
  EXPECT_EQ(Refused(ParseDetokenizeRequest("{}", kLimits)).param, "tokens");
  EXPECT_EQ(Refused(ParseDetokenizeRequest(R"({"tokens":[],"model":[]})", kLimits)).param, "model");
}

}  // namespace
}  // namespace atl::coordinator
