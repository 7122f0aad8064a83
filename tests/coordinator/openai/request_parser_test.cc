#include "coordinator/openai/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "coordinator/openai/json_text.h"

namespace atl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ParseLimits kLimits{.vocab_size = 4096};

// A body with one user message and `more` members.
std::string Body(const std::string& more) {
  return R"({"messages":[{"role":"user","content":"hi"}])" + (more.empty() ? "" : "," + more) + "}";
}

ChatRequest Accepted(const std::string& body) {
  auto result = ParseChatRequest(body, kLimits);
  if (const auto* error = std::get_if<ApiError>(&result)) {
    ADD_FAILURE() << body << " was refused: " << error->message;
    return {};
  }
  return std::get<ChatRequest>(std::move(result));
}

ApiError Refused(const std::string& body) {
  auto result = ParseChatRequest(body, kLimits);
  if (const auto* error = std::get_if<ApiError>(&result)) return *error;
  ADD_FAILURE() << body << " was accepted";
  return {};
}

TEST(RequestParserTest, ReadsEveryField) {
  const ChatRequest request = Accepted(Body(
      R"("model":"m","temperature":0.5,"top_p":0.25,"top_k":7,"seed":42,"stop":["a","b"],
         "max_tokens":3,"stream":true,"stream_options":{"include_usage":true},"ignore_eos":true,
         "tools":[{"type":"function","function":{"name":"f"}}],
         "chat_template_kwargs":{"enable_thinking":false},"add_generation_prompt":false)"));
  EXPECT_EQ(request.generation.model, "m");
  EXPECT_EQ(request.messages, R"([{"role":"user","content":"hi"}])");
  EXPECT_EQ(request.tools, R"([{"type":"function","function":{"name":"f"}}])");
  EXPECT_EQ(request.chat_template_kwargs, R"({"enable_thinking":false})");
  EXPECT_FALSE(request.add_generation_prompt);
  EXPECT_EQ(request.generation.temperature, 0.5f);
  EXPECT_EQ(request.generation.top_p, 0.25f);
  EXPECT_EQ(request.generation.top_k, 7);
  EXPECT_EQ(request.generation.seed, 42u);
  EXPECT_THAT(request.generation.stop, ElementsAre("a", "b"));
  EXPECT_EQ(request.generation.max_tokens, 3);
  EXPECT_TRUE(request.generation.ignore_eos);
  EXPECT_TRUE(request.generation.stream);
  EXPECT_TRUE(request.generation.include_usage);
}

TEST(RequestParserTest, AbsentAndNullAreTheSame) {
  for (const char* more :
       {"", R"("model":null,"temperature":null,"top_p":null,"top_k":null,"seed":null,"stop":null,
               "max_tokens":null,"max_completion_tokens":null,"stream":null,"stream_options":null,
               "tools":null,"tool_choice":null,"chat_template_kwargs":null,"n":null,
               "logprobs":null,"response_format":null,"logit_bias":null,"user":null)"}) {
    const ChatRequest request = Accepted(Body(more));
    EXPECT_EQ(request.generation.model, "");
    EXPECT_EQ(request.tools, "");
    EXPECT_EQ(request.chat_template_kwargs, "");
    EXPECT_FALSE(request.generation.temperature || request.generation.top_p ||
                 request.generation.top_k || request.generation.seed);
    EXPECT_FALSE(request.generation.max_tokens);
    EXPECT_FALSE(request.generation.stream || request.generation.include_usage ||
                 request.generation.ignore_eos);
    EXPECT_TRUE(request.add_generation_prompt);
  }
}

TEST(RequestParserTest, AcceptsWhatChangesNothing) {
  for (const char* more :
       {R"("n":1)", R"("presence_penalty":0,"frequency_penalty":0.0,"repetition_penalty":1.0)",
        R"("logprobs":false,"top_logprobs":0,"logit_bias":{},"min_p":0)",
        R"("response_format":{"type":"text"},"tool_choice":"auto","tools":[])",
        R"("user":"u","metadata":{"a":1},"store":false,"a field of the future":[1,{"x":2}])",
        R"("stop":[])", R"("stop":"x")", R"("top_k":-1)", R"("top_k":0)", R"("top_k":4096)",
        R"("temperature":0)", R"("temperature":2)", R"("top_p":1)", R"("max_tokens":16.0)",
        R"("seed":-9223372036854775808)", R"("seed":18446744073709551615)",
        R"("stream":true,"stream_options":{})"}) {
    Accepted(Body(more));
  }
}

TEST(RequestParserTest, ValuesThatMeanOff) {
  EXPECT_EQ(Accepted(Body(R"("top_k":-1)")).generation.top_k, 0);
  EXPECT_EQ(Accepted(Body(R"("seed":-1)")).generation.seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(Accepted(Body(R"("max_tokens":5,"max_completion_tokens":7)")).generation.max_tokens, 7);
  EXPECT_EQ(Accepted(Body(R"("tools":[{"type":"function","function":{"name":"f"}}],
                             "tool_choice":"none")"))
                .tools,
            "");
}

TEST(RequestParserTest, RefusesByName) {
  struct Case {
    const char* more;
    const char* param;
    const char* message;
  };
  const Case cases[] = {
      {R"("model":3)", "model", "expected a string, got 3"},
      {R"("temperature":"hot")", "temperature", "expected a number from 0 to 2, got a string"},
      {R"("temperature":2.5)", "temperature", "got 2.5"},
      {R"("temperature":-1)", "temperature", "got -1"},
      {R"("temperature":true)", "temperature", "got true"},
      {R"("top_p":0)", "top_p", "above 0"},
      {R"("top_p":1.5)", "top_p", "from 0 to 1, got 1.5"},
      {R"("top_k":4097)", "top_k", "from -1 to 4096"},
      {R"("top_k":-2)", "top_k", "from -1 to 4096"},
      {R"("top_k":1.5)", "top_k", "expected an integer"},
      {R"("top_k":1e300)", "top_k", "expected an integer"},
      {R"("seed":1.5)", "seed", "expected an integer"},
      {R"("seed":18446744073709551616)", "seed", "64 bits"},
      {R"("max_tokens":0)", "max_tokens", "from 1"},
      {R"("max_tokens":-5)", "max_tokens", "from 1"},
      {R"("max_tokens":"5")", "max_tokens", "got a string"},
      {R"("max_completion_tokens":[])", "max_completion_tokens", "got a list"},
      {R"("stop":3)", "stop", "expected a string or a list of strings, got 3"},
      {R"("stop":["a",3])", "stop", "got a list with 3"},
      {R"("stop":[""])", "stop", "empty"},
      {R"("stop":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"])",
       "stop", "at most 16 strings, got 17"},
      {R"("stream":"yes")", "stream", "expected true or false, got a string"},
      {R"("stream_options":{"include_usage":true})", "stream_options", "only allowed when stream"},
      {R"("stream":true,"stream_options":[])", "stream_options", "expected an object"},
      {R"("stream":true,"stream_options":{"include_usage":1})", "stream_options.include_usage",
       "true or false"},
      {R"("ignore_eos":1)", "ignore_eos", "true or false"},
      {R"("chat_template_kwargs":[])", "chat_template_kwargs", "expected an object"},
      {R"("chat_template":"{{ 1 }}")", "chat_template", "not supported"},
      {R"("response_format":{"type":"json_object"})", "response_format", "text"},
      {R"("response_format":"text")", "response_format", "text"},
      {R"("tool_choice":"required")", "tool_choice", "auto"},
      {R"("tool_choice":{"type":"function"})", "tool_choice", "auto"},
      {R"("tools":{})", "tools", "list"},
      {R"("tools":[{}])", "tools[0]", "function"},
      {R"("tools":[{"type":"function","function":{"name":3}}])", "tools[0]", "function"},
      {R"("functions":[])", "functions", "not supported"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.more);
    const ApiError error = Refused(Body(c.more));
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.type, "invalid_request_error");
    EXPECT_EQ(error.param, c.param);
    EXPECT_THAT(error.message, HasSubstr(c.message));
    EXPECT_THAT(error.message, ::testing::StartsWith(c.param));
  }
}

TEST(RequestParserTest, ChecksTheFormOfMessages) {
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
      {"[{}]", "messages[0].role", "expected a string, got null"},
      {R"([{"role":"user"},{"role":7}])", "messages[1].role", "got 7"},
      {R"([{"role":"user","content":7}])", "messages[0].content", "got 7"},
      {R"([{"role":"user","content":{}}])", "messages[0].content", "got an object"},
      {R"([{"role":"user","content":["x"]}])", "messages[0].content", "objects, got a string"},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "messages[0].content", "string in text"},
      {R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:"}}]}])",
       "messages[0].content", "\"image_url\" are not supported"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.messages);
    const ApiError error = Refused(std::string(R"({"messages":)") + c.messages + "}");
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.param, c.param);
    EXPECT_THAT(error.message, HasSubstr(c.message));
  }
  Accepted(R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},
                           {"role":"assistant","content":null,"tool_calls":[]}]})");
  EXPECT_EQ(Refused("{}").param, "messages");
}

TEST(RequestParserTest, RefusesWhatIsNoJson) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "not valid JSON"},
      {"{", "not valid JSON: unexpected text at byte 2"},
      {"{\"messages\":[],}", "not valid JSON: unexpected text at byte 16"},
      {"{} x", "not valid JSON"},
      {Body(R"("temperature":1e999)"), "a number is too large"},
      {Body(R"("temperature":NaN)"), "not valid JSON"},
      {Body(R"("stop":"\ud800")"), "not valid JSON"},
      {Body("\"stop\":\"\xff\""), "not valid UTF-8 at byte 53"},
      {Body("\"stop\":\"\xed\xa0\x80\""), "not valid UTF-8"},
      {"[]", "must be a JSON object, got a list"},
      {"\"text\"", "must be a JSON object, got a string"},
      {std::string(100000, '['), "nested deeper than 64"},
      {Body("\"x\":" + std::string(70, '[') + std::string(70, ']')), "nested deeper than 64"},
  };
  for (const auto& [body, message] : cases) {
    SCOPED_TRACE(body.substr(0, 100));
    const ApiError error = Refused(body);
    EXPECT_EQ(error.status, 400);
    EXPECT_THAT(error.message, HasSubstr(message));
    EXPECT_EQ(error.message.find("json.exception"), std::string::npos);
  }
}

TEST(RequestParserTest, BoundsTheNumberOfValues) {
  std::string many = "[0";
  for (int i = 0; i < 2000; ++i) many += ",0";
  const auto result = ParseChatRequest(Body("\"x\":" + many + "]"), {.values_max = 1000});
  EXPECT_THAT(std::get<ApiError>(result).message, HasSubstr("more than 1000 JSON values"));
}

TEST(RequestParserTest, KeepsWhatTheClientWrote) {
  const std::string tools =
      R"([{"type":"function","function":{"name":"f","z":1,"a":1.50,"b":123456789012345678901234567890,)"
      R"("c":"}]\"{"}}])";
  EXPECT_EQ(Accepted(Body("\"tools\" : " + tools)).tools, tools);
  // The last of two keys of one name counts, for the check and for the template.
  const ChatRequest twice = Accepted(
      R"({"messages":3,"m":{"messages":4},"messag\u0065s":[{"role":"user","content":"b"}]})");
  EXPECT_EQ(twice.messages, R"([{"role":"user","content":"b"}])");
}

TEST(JsonTextTest, EscapesStrings) {
  EXPECT_EQ(JsonString("a\"b\\c\n\r\t\x01é\x7f"), "\"a\\\"b\\\\c\\n\\r\\t\\u0001é\x7f\"");
  EXPECT_EQ(JsonString("a\xff"
                       "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
  EXPECT_EQ(JsonString(""), "\"\"");
}

TEST(JsonTextTest, FindsMembers) {
  const auto members = TopLevelMembers(
      "\xEF\xBB\xBF { \"a\" : [1, {\"b\":\"]\"}] ,\"c\":-1.5e3, \"d\":\"\\\"\" }\n");
  EXPECT_THAT(members,
              ElementsAre(::testing::Pair("a", "[1, {\"b\":\"]\"}]"),
                          ::testing::Pair("c", "-1.5e3"), ::testing::Pair("d", "\"\\\"\"")));
  EXPECT_TRUE(TopLevelMembers("{}").empty());
}

TEST(ApiErrorTest, MapsCodesAndHidesTheInside) {
  EXPECT_EQ(ToJson(ToApiError(ResourceExhausted("queue \"full\""))),
            R"({"error":{"message":"queue \"full\"","type":"rate_limit_error","param":null,)"
            R"("code":"rate_limit_exceeded"}})");
  EXPECT_EQ(ToApiError(ResourceExhausted("x")).status, 429);
  EXPECT_EQ(ToApiError(Unavailable("x")).status, 503);
  EXPECT_EQ(ToApiError(InvalidArgument("x")).status, 400);
  const ApiError internal = ToApiError(Internal("/secret/path 0x7fff"));
  EXPECT_EQ(internal.status, 500);
  EXPECT_EQ(internal.message.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace atl
