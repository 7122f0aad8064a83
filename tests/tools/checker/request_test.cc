// The kind `request`: the parsers and the template, asked from outside.
#include "tests/tools/checker/ask.h"

namespace atl::tools {
namespace {

const CheckFlags kRequest{.kind = "request"};

Json AskBody(const std::string& endpoint, const Json& body) {
  return Ask(kRequest, {{"id", 1}, {"endpoint", endpoint}, {"body", body}});
}

TEST(RequestKindTest, AcceptsWhatTheServerTakes) {
  const Json accepted = {{"id", 1}, {"status", 200}, {"accepted", true}};
  const Json messages = {{{"role", "user"}, {"content", "hi"}}};
  EXPECT_EQ(AskBody("/v1/chat/completions", {{"messages", messages}, {"n", 2}}), accepted);
  EXPECT_EQ(AskBody("/v1/completions", {{"prompt", {248319}}}), accepted);
  EXPECT_EQ(AskBody("/tokenize", {{"prompt", ""}}), accepted);
  EXPECT_EQ(AskBody("/tokenize", {{"messages", messages}}), accepted);
  EXPECT_EQ(AskBody("/detokenize", {{"tokens", {1}}}), accepted);
  EXPECT_EQ(AskBody("/v1/completions", R"({"prompt":"a string is the text itself"})"), accepted);
}

TEST(RequestKindTest, TellsTheErrorOfTheEndpoint) {
  const Json answer = AskBody("/v1/completions", {{"prompt", "x"}, {"temperature", 3}});
  EXPECT_EQ(answer, Json::parse(R"({"id": 1, "status": 400, "error": {
      "message": "temperature: expected a number from 0 to 2, got 3.",
      "type": "invalid_request_error", "param": "temperature", "code": null}})"));
  EXPECT_EQ(AskBody("/v1/completions", R"({"prompt":"x","top_p":1e999})")["error"]["param"],
            "top_p");
  EXPECT_EQ(AskBody("/v1/completions", "[1")["status"], 400);
  EXPECT_EQ(AskBody("/detokenize", nullptr)["status"], 400);
  EXPECT_EQ(AskBody("/v1/nothing", Json::object())["status"], 404);
}

TEST(RequestKindTest, TheBodyIsReadAsItIsWritten) {
  const auto answers = AskLines(
      kRequest,
      R"({"endpoint":"/v1/completions","body":{"prompt":3,"prompt":"x","seed":18446744073709551615}}
)");
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0]["status"], 200);
}

TEST(RequestKindTest, TheTemplateHasItsSay) {
  for (const char* endpoint : {"/v1/chat/completions", "/tokenize"}) {
    const Json answer =
        AskBody(endpoint, {{"messages", {{{"role", "nobody"}, {"content", "hi"}}}}});
    EXPECT_EQ(answer["status"], 400);
    EXPECT_EQ(answer["error"]["param"], "messages");
  }
}

TEST(RequestKindTest, IdsAreThoseOfTheTokenizer) {
  const CheckFlags nano{.kind = "request", .tokenizer = "tools/nano/checkpoint"};
  const Json answer = Ask(nano, {{"endpoint", "/detokenize"}, {"body", {{"tokens", {248319}}}}});
  EXPECT_EQ(answer["error"]["param"], "tokens");
}

TEST(RequestKindTest, QuestionsHaveAnEndpointAndABody) {
  EXPECT_ERROR(Ask(kRequest, {{"body", ""}}), "INVALID_ARGUMENT", "endpoint");
  EXPECT_ERROR(Ask(kRequest, {{"endpoint", "/tokenize"}}), "INVALID_ARGUMENT", "body");
}

}  // namespace
}  // namespace atl::tools
