// POST /v1/completions, /tokenize and /detokenize.
#include <nlohmann/json.hpp>

#include "common/tokenizer/detokenizer.h"
#include "tests/coordinator/api/api_fixture.h"

namespace atl::coordinator {
namespace {

using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CompletionsTest : public ApiTest {
 protected:
  FakeEngine::Submitted AskFor(HttpClient* client, const std::string& fields) {
    client->Send(PostText(kCompletions, "{" + fields + "}"));
    return engine_.AwaitSubmitted();
  }
};

// One for each token: −0.5, −1.5, … and an alternative.
std::vector<TokenLogprobs> Logprobs(const std::vector<TokenId>& ids, int num_top) {
  std::vector<TokenLogprobs> all;
  for (size_t i = 0; i < ids.size(); ++i) {
    TokenLogprobs one{.logprob = -0.5f - static_cast<float>(i), .rank = 1};
    for (int t = 0; t < num_top; ++t) {
      one.top.push_back({t == 0 ? ids[i] : Ids("x").front(), one.logprob - static_cast<float>(t)});
    }
    all.push_back(std::move(one));
  }
  return all;
}

std::string TextOf(TokenId id) { return std::string(Nano().tokenizer->TokenBytes(id)); }

TEST_F(CompletionsTest, RespondsComplete) {
  HttpClient client(port());
  auto asked = AskFor(&client, R"("model":"nano","prompt":"once <|im_end|>")");
  EXPECT_EQ(asked.request.prompt, Ids("once <|im_end|>"));
  EXPECT_EQ(asked.request.max_new_tokens, 16);
  EXPECT_EQ(asked.request.top_logprobs, -1);
  asked.sink->OnTokens(Ids("\n upon</think> a time"), {});
  asked.sink->OnFinish({.reason = FinishReason::kLength});
  const Json json = Json::parse(client.Receive().body);
  EXPECT_EQ(json["object"], "text_completion");
  EXPECT_EQ(json["id"].get<std::string>().substr(0, 5), "cmpl-");
  EXPECT_EQ(json["choices"][0]["text"], "\n upon</think> a time");  // nothing is taken away
  EXPECT_EQ(json["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(json["choices"][0]["logprobs"], nullptr);
}

TEST_F(CompletionsTest, PromptsTimesChoices) {
  HttpClient client(port());
  client.Send(PostText(kCompletions, R"({"prompt":[[1,2,3],[4]],"n":2,"seed":7,"echo":true})"));
  auto asked = AwaitSubmitted(4);
  EXPECT_THAT(asked[1].request.prompt, ElementsAre(TokenId{1}, TokenId{2}, TokenId{3}));
  EXPECT_THAT(asked[2].request.prompt, ElementsAre(TokenId{4}));
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(asked[i].request.seed, 7 + i % 2);
    asked[i].sink->OnTokens(Ids(" answer" + std::to_string(i)), {});
    asked[i].sink->OnFinish({.reason = FinishReason::kLength});
  }
  const Json json = Json::parse(client.Receive().body);
  ASSERT_EQ(json["choices"].size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(json["choices"][i]["index"], i);
    EXPECT_EQ(json["choices"][i]["text"],
              Decode(*Nano().tokenizer, asked[i].request.prompt, SkipSpecial::kShow) + " answer" +
                  std::to_string(i));
  }
  EXPECT_EQ(json["usage"]["prompt_tokens"], 4);
}

TEST_F(CompletionsTest, EchoReportsTheLogprobsOfThePrompt) {
  for (const char* stream : {"false", "true"}) {
    SCOPED_TRACE(stream);
    HttpClient client(port());
    auto asked = AskFor(&client, std::string(R"("prompt":"one two three","echo":true,"logprobs":2,
                                               "stream":)") +
                                     stream);
    const std::vector<TokenId> prompt = asked.request.prompt;
    ASSERT_GE(prompt.size(), 3u);
    EXPECT_EQ(asked.request.top_logprobs, 2);
    EXPECT_TRUE(asked.request.prompt_logprobs);
    const std::vector<TokenLogprobs> told = Logprobs(prompt, 2);
    asked.sink->OnPrompt(2, std::span(told).subspan(1, 2));
    asked.sink->OnPrompt(static_cast<int32_t>(prompt.size()), std::span(told).subspan(3));
    const std::vector<TokenId> sampled = Ids(" four five");
    asked.sink->OnTokens(sampled, Logprobs(sampled, 2));
    asked.sink->OnFinish({.reason = FinishReason::kLength});
    const std::string body = client.Receive().body;
    Json logprobs;
    std::string text;
    if (stream == std::string("false")) {
      const Json choice = Json::parse(body)["choices"][0];
      text = choice["text"];
      logprobs = choice["logprobs"];
    } else {
      for (const Json& chunk : ChunksOf(body)) {
        text += chunk["choices"][0]["text"].get<std::string>();
        const Json& part = chunk["choices"][0]["logprobs"];
        if (part.is_null()) continue;
        for (const char* key : {"tokens", "token_logprobs", "top_logprobs", "text_offset"}) {
          for (const Json& value : part[key]) logprobs[key].push_back(value);
        }
      }
    }
    EXPECT_EQ(text, "one two three four five");
    ASSERT_EQ(logprobs["tokens"].size(), prompt.size() + sampled.size());
    EXPECT_EQ(logprobs["token_logprobs"][0], nullptr);
    EXPECT_EQ(logprobs["token_logprobs"][1], -1.5);
    EXPECT_EQ(logprobs["token_logprobs"][prompt.size()], -0.5);
    int64_t offset = 0;
    for (size_t i = 0; i < prompt.size() + sampled.size(); ++i) {
      const TokenId id = i < prompt.size() ? prompt[i] : sampled[i - prompt.size()];
      EXPECT_EQ(logprobs["tokens"][i], TextOf(id));
      EXPECT_EQ(logprobs["text_offset"][i], offset);
      offset += static_cast<int64_t>(TextOf(id).size());
    }
  }
}

TEST_F(CompletionsTest, LogprobsOfAChatComeWithTheirTokens) {
  HttpClient client(port());
  auto asked =
      Ask(&client, std::string(R"("logprobs":true,"top_logprobs":1,"stop":"END",)") + kNoThinking);
  const std::vector<TokenId> ids = Ids("say END now");
  asked.sink->OnTokens(ids, Logprobs(ids, 1));
  const Json choice = Json::parse(client.Receive().body)["choices"][0];
  EXPECT_EQ(choice["message"]["content"], "say ");
  // Up to the token that completes the stop string, and none behind it.
  std::string told;
  for (const Json& token : choice["logprobs"]["content"]) {
    told += token["token"].get<std::string>();
    EXPECT_EQ(token["top_logprobs"][0]["logprob"], token["logprob"]);
  }
  EXPECT_EQ(told, "say END");
}

TEST_F(CompletionsTest, Tokenizes) {
  HttpClient client(port());
  Json json = Json::parse(client.Post("/tokenize", R"({"prompt":"hello world"})").body);
  const std::vector<TokenId> ids = Ids("hello world");
  ASSERT_EQ(json["count"], ids.size());
  EXPECT_EQ(json["max_model_len"], 8192);
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(json["tokens"][i], Value(ids[i]));
  const std::string tokens = json["tokens"].dump();
  json = Json::parse(client.Post("/detokenize", R"({"tokens":)" + tokens + "}").body);
  EXPECT_EQ(json["prompt"], "hello world");
  json = Json::parse(
      client
          .Post("/tokenize",
                R"({"messages":[{"role":"user","content":"hi"}],"return_token_strs":true})")
          .body);
  EXPECT_EQ(json["token_strs"][0], "<|im_start|>");
  EXPECT_EQ(json["tokens"].size(), json["token_strs"].size());
  for (const char* path : {"/tokenize", "/detokenize"}) {
    EXPECT_EQ(client.Post(path, "{").status, 400);
    EXPECT_EQ(client.Post(path, R"({"model":"gpt","prompt":"x","tokens":[1]})").status, 404);
    EXPECT_EQ(client.Get(path).status, 405);
  }
  EXPECT_EQ(client.Post("/detokenize", R"({"tokens":[999999]})").status, 400);
}

TEST_F(CompletionsTest, WhatCanNeverFitIsRefusedWithTheLimit) {
  engine_.SetLimits({.max_model_len = 8192, .tokens_max = 20, .vocab_size = 4096});
  HttpClient client(port());
  ClientResponse answer = client.Post(kCompletions, R"({"prompt":[1,2,3,4,5,6],"max_tokens":15})");
  EXPECT_EQ(answer.status, 400);
  Json error = Json::parse(answer.body)["error"];
  EXPECT_EQ(error["code"], "context_length_exceeded");
  EXPECT_EQ(error["param"], "max_tokens");
  EXPECT_THAT(error["message"], HasSubstr("at most 14"));
  answer = client.Post(kCompletions, R"({"prompt":[1,2,3,4,5,6,7,8,9,10,1,2,3,4,5,6,7,8,9,10]})");
  EXPECT_EQ(answer.status, 400);
  error = Json::parse(answer.body)["error"];
  EXPECT_EQ(error["param"], "prompt");
  EXPECT_THAT(error["message"], HasSubstr("at most 19 tokens"));
  EXPECT_TRUE(MetricsHave("atoll_requests_refused_total{reason=\"too_long\"} 2\n"));
}

}  // namespace
}  // namespace atl::coordinator
