#include "coordinator/api/openai/request/completion_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/coordinator/api/openai/request/parse.h"

namespace atl::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Ids = std::vector<TokenId>;

std::string Prompt(const std::string& json) { return "{\"prompt\":" + json + "}"; }

TEST(CompletionRequestTest, PromptsHaveFourForms) {
  const auto prompts = [](const char* json) { return AcceptedCompletion(Prompt(json)).prompts; };
  EXPECT_THAT(prompts(R"("a\u0000é")"), ElementsAre(CompletionPrompt(std::string("a\0é", 4))));
  EXPECT_THAT(prompts(R"(["a","b"])"), ElementsAre(CompletionPrompt("a"), CompletionPrompt("b")));
  EXPECT_THAT(prompts("[0,4095,7.0]"),
              ElementsAre(CompletionPrompt(Ids{TokenId{0}, TokenId{4095}, TokenId{7}})));
  EXPECT_THAT(prompts("[[1],[2,3]]"), ElementsAre(CompletionPrompt(Ids{TokenId{1}}),
                                                  CompletionPrompt(Ids{TokenId{2}, TokenId{3}})));
}

TEST(CompletionRequestTest, ReadsItsOwnFields) {
  const CompletionRequest plain = AcceptedCompletion(CompletionBody(""));
  EXPECT_FALSE(plain.echo);
  EXPECT_TRUE(plain.add_special_tokens);
  EXPECT_EQ(plain.generation.top_logprobs, -1);
  const CompletionRequest request = AcceptedCompletion(
      CompletionBody(R"("echo":true,"add_special_tokens":false,"logprobs":20,"suffix":"")"));
  EXPECT_TRUE(request.echo);
  EXPECT_FALSE(request.add_special_tokens);
  EXPECT_EQ(request.generation.top_logprobs, 20);
  EXPECT_EQ(AcceptedCompletion(CompletionBody(R"("logprobs":0)")).generation.top_logprobs, 0);
}

TEST(CompletionRequestTest, AnEchoMayStandAlone) {
  EXPECT_EQ(
      AcceptedCompletion(CompletionBody(R"("echo":true,"max_tokens":0)")).generation.max_tokens, 0);
  EXPECT_EQ(RefusedCompletion(CompletionBody(R"("echo":false,"max_tokens":0)")).param,
            "max_tokens");
  EXPECT_EQ(RefusedCompletion(CompletionBody(R"("echo":true,"max_tokens":-1)")).param,
            "max_tokens");
}

TEST(CompletionRequestTest, RefusesOtherPrompts) {
  struct Case {
    const char* prompt;
    const char* param;
    const char* message;
  };
  const Case cases[] = {
      {"null", "prompt", "required"},
      {"3", "prompt", "expected a string, a list of strings, a list of token ids or"},
      {"true", "prompt", "got true"},
      {"{}", "prompt", "got an object"},
      {R"("")", "prompt", "empty prompt"},
      {"[]", "prompt", "empty prompt"},
      {R"(["a",""])", "prompt[1]", "empty prompt"},
      {"[[1],[]]", "prompt[1]", "empty prompt"},
      {R"(["a",3])", "prompt[1]", "expected a string as the prompts before, got 3"},
      {R"([[1],"a"])", "prompt[1]", "expected a list as the prompts before, got a string"},
      {R"([3,"a"])", "prompt", "got a list with a string as number 2"},
      {"[true]", "prompt", "got a list with true"},
      {"[null]", "prompt", "got a list with null"},
      {"[{}]", "prompt", "got a list with an object"},
      {"[4096]", "prompt", "from 0 to 4095, got a list with 4096 as number 1"},
      {"[-1]", "prompt", "got a list with -1"},
      {"[1.5]", "prompt", "got a list with 1.5"},
      {"[[1],[2,4096]]", "prompt[1]", "got a list with 4096 as number 2"},
      {"[[[1]]]", "prompt[0]", "got a list with a list as number 1"},
  };
  for (const Case& c : cases) {
    const ApiError error = RefusedCompletion(Prompt(c.prompt));
    EXPECT_EQ(error.param, c.param) << c.prompt;
    EXPECT_THAT(error.message, HasSubstr(c.message));
    EXPECT_THAT(error.message, StartsWith(c.param));
  }
  EXPECT_EQ(RefusedCompletion("{}").param, "prompt");
}

TEST(CompletionRequestTest, RefusesByName) {
  for (const char* value : {"true", "-1", "21", "1.5", "\"1\"", "[]"}) {
    EXPECT_EQ(RefusedCompletion(CompletionBody(std::string("\"logprobs\":") + value)).param,
              "logprobs");
  }
  EXPECT_EQ(RefusedCompletion(CompletionBody(R"("suffix":"x")")).param, "suffix");
  EXPECT_EQ(RefusedCompletion(CompletionBody(R"("echo":1)")).param, "echo");
  EXPECT_EQ(RefusedCompletion(CompletionBody(R"("add_special_tokens":"no")")).param,
            "add_special_tokens");
}

TEST(CompletionRequestTest, SequencesAreBounded) {
  const auto body = [](int prompts, int n) {
    std::string list;
    for (int i = 0; i < prompts; ++i) list += i > 0 ? ",\"a\"" : "\"a\"";
    return "{\"prompt\":[" + list + "],\"n\":" + std::to_string(n) + "}";
  };
  EXPECT_EQ(AcceptedCompletion(body(256, 1)).prompts.size(), 256u);
  EXPECT_EQ(AcceptedCompletion(body(2, 128)).generation.n, 128);
  const ApiError many = RefusedCompletion(body(3, 128));
  EXPECT_EQ(many.param, "n");
  EXPECT_THAT(many.message, HasSubstr("128 answers to each of 3 prompts are more than the 256"));
  EXPECT_THAT(RefusedCompletion(body(257, 1)).message, HasSubstr("at most 256 prompts, got 257"));
}

TEST(CompletionRequestTest, AMillionIdsAreTooMany) {
  std::string ids = "[1";
  for (int i = 0; i < 999'990; ++i) ids += ",1";
  EXPECT_EQ(std::get<Ids>(AcceptedCompletion(Prompt(ids + "]")).prompts[0]).size(), 999'991u);
  for (int i = 0; i < 20; ++i) ids += ",1";
  const ApiError error = RefusedCompletion(Prompt(ids + "]"));
  EXPECT_EQ(error.param, "prompt");
  EXPECT_THAT(error.message, HasSubstr("more than 1000000 JSON values"));
}

}  // namespace
}  // namespace atl::coordinator
