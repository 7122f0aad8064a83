#include "coordinator/api/api.h"

#include <nlohmann/json.hpp>

#include "common/tokenizer/detokenizer.h"
#include "tests/coordinator/api/api_fixture.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(ApiTest, RespondsComplete) {
  HttpClient client(port());
  auto asked = Ask(&client, R"("max_tokens":50)");
  EXPECT_EQ(asked.request.max_new_tokens, 50);
  EXPECT_EQ(Decode(*Nano().tokenizer, asked.request.prompt, SkipSpecial::kShow),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n");
  EXPECT_THAT(asked.request.stop_ids, ElementsAre(kImEnd, TokenId{4063}));
  EXPECT_FLOAT_EQ(asked.request.sampling.temperature, 0.6f);
  EXPECT_FLOAT_EQ(asked.request.sampling.top_p, 0.95f);
  EXPECT_EQ(asked.request.sampling.top_k, 20);
  EXPECT_FALSE(asked.request.seed.has_value());
  int64_t tokens = 0;
  for (const char* text : {"a greeting", ".\n</think>\n", "\nHello \xF0\x9F\x98\x80!"}) {
    asked.sink->OnTokens(Ids(text), {});
    tokens += static_cast<int64_t>(Ids(text).size());
  }
  asked.sink->OnTokens(std::vector{kImEnd}, {});
  asked.sink->OnFinish({.reason = FinishReason::kStop});
  const ClientResponse answer = client.Receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  const Json json = Json::parse(answer.body);
  EXPECT_EQ(json["object"], "chat.completion");
  EXPECT_EQ(json["model"], "nano");
  EXPECT_EQ(json["id"].get<std::string>().substr(0, 9), "chatcmpl-");
  EXPECT_TRUE(json["created"].is_number_integer());
  const Json& choice = json["choices"][0];
  EXPECT_EQ(choice["index"], 0);
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["message"]["role"], "assistant");
  EXPECT_EQ(choice["message"]["reasoning_content"], "a greeting.");
  EXPECT_EQ(choice["message"]["content"], "Hello \xF0\x9F\x98\x80!");
  const auto prompt_tokens = static_cast<int64_t>(asked.request.prompt.size());
  EXPECT_EQ(json["usage"]["prompt_tokens"], prompt_tokens);
  EXPECT_EQ(json["usage"]["completion_tokens"], tokens + 1);
  EXPECT_EQ(json["usage"]["total_tokens"], prompt_tokens + tokens + 1);
}

TEST_F(ApiTest, StreamsChunksInOrder) {
  HttpClient client(port());
  auto asked = Ask(&client, R"("stream":true,"stream_options":{"include_usage":true})");
  asked.sink->OnTokens(Ids("hm"), {});
  OnServer([] {});
  asked.sink->OnTokens(Ids("</think>\n\nYes"), {});
  OnServer([] {});
  asked.sink->OnTokens(Ids("!"), {});
  OnServer([] {});
  asked.sink->OnTokens(std::vector{kImEnd}, {});
  asked.sink->OnFinish({.reason = FinishReason::kStop});
  const ClientResponse answer = client.Receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_EQ(answer.headers.at("cache-control"), "no-cache");
  const std::vector<std::string> events = EventsOf(answer.body);
  ASSERT_GE(events.size(), 6u);
  EXPECT_EQ(events.back(), "[DONE]");
  std::string reasoning, content;
  Json last_chunk;
  std::set<std::string> ids;
  for (size_t i = 0; i + 2 < events.size(); ++i) {
    last_chunk = Json::parse(events[i]);
    EXPECT_EQ(last_chunk["object"], "chat.completion.chunk");
    ids.insert(last_chunk["id"].get<std::string>());
    const Json& choice = last_chunk["choices"][0];
    EXPECT_EQ(choice["delta"].contains("role"), i == 0);
    EXPECT_EQ(choice["finish_reason"].is_null(), i + 3 < events.size());
    reasoning += choice["delta"].value("reasoning_content", "");
    content += choice["delta"].value("content", "");
  }
  EXPECT_EQ(reasoning, "hm");
  EXPECT_EQ(content, "Yes!");
  EXPECT_EQ(last_chunk["choices"][0]["finish_reason"], "stop");
  const Json usage = Json::parse(events[events.size() - 2]);
  EXPECT_EQ(usage["choices"], Json::array());
  EXPECT_EQ(usage["usage"]["prompt_tokens"], asked.request.prompt.size());
  ids.insert(usage["id"].get<std::string>());
  EXPECT_EQ(ids.size(), 1u);
  // The connection serves on.
  EXPECT_EQ(client.Get("/health").status, 200);
}

TEST_F(ApiTest, WithoutUsageNoUsageChunk) {
  HttpClient client(port());
  auto asked = Ask(&client, std::string(R"("stream":true,)") + kNoThinking);
  asked.sink->OnTokens(Ids("Hi"), {});
  asked.sink->OnFinish({.reason = FinishReason::kLength});
  const std::vector<std::string> events = EventsOf(client.Receive().body);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(Json::parse(events[1])["choices"][0]["delta"]["content"], "Hi");
  EXPECT_EQ(Json::parse(events[2])["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(events[3], "[DONE]");
}

TEST_F(ApiTest, SendsEachStepAtOnce) {
  HttpClient client(port());
  auto asked = Ask(&client, std::string(R"("stream":true,)") + kNoThinking);
  asked.sink->OnTokens(Ids("first"), {});
  EXPECT_TRUE(client.ReadUntil("\"content\":\"first\""));
  asked.sink->OnTokens(Ids("second"), {});
  EXPECT_TRUE(client.ReadUntil("\"content\":\"second\""));
  asked.sink->OnFinish({.reason = FinishReason::kLength});
  EXPECT_TRUE(client.ReadUntil("[DONE]"));
}

TEST_F(ApiTest, AStopStringEndsTheSequence) {
  HttpClient client(port());
  auto asked = Ask(&client, std::string(R"("stop":["END","never"],)") + kNoThinking);
  asked.sink->OnTokens(Ids("one two E"), {});
  asked.sink->OnTokens(Ids("ND three"), {});
  const ClientResponse answer = client.Receive();
  const Json choice = Json::parse(answer.body)["choices"][0];
  EXPECT_EQ(choice["message"]["content"], "one two ");
  EXPECT_EQ(choice["message"]["reasoning_content"], nullptr);
  EXPECT_EQ(choice["finish_reason"], "stop");
  engine_.AwaitCancelled(asked.seq);
  // What the engine still says of it is ignored.
  asked.sink->OnTokens(Ids("more"), {});
  asked.sink->OnFinish({.reason = FinishReason::kCancelled});
  EXPECT_EQ(client.Get("/health").status, 200);
}

TEST_F(ApiTest, TheRequestOverridesTheDefaults) {
  HttpClient client(port());
  auto asked = Ask(&client,
                   R"("temperature":0,"top_p":0.5,"top_k":-1,"seed":7,"ignore_eos":true,
                      "max_completion_tokens":9,"max_tokens":3)");
  EXPECT_EQ(asked.request.sampling.temperature, 0.0f);
  EXPECT_EQ(asked.request.sampling.top_p, 0.5f);
  EXPECT_EQ(asked.request.sampling.top_k, 0);
  EXPECT_EQ(asked.request.seed, 7u);
  EXPECT_EQ(asked.request.max_new_tokens, 9);
  EXPECT_THAT(asked.request.stop_ids, ::testing::IsEmpty());
}

TEST_F(ApiTest, EverySamplingFieldReachesTheEngine) {
  HttpClient client(port());
  auto asked = Ask(&client,
                   R"("min_p":0.25,"presence_penalty":-1.5,"frequency_penalty":0.5,
                      "repetition_penalty":1.25,"logit_bias":{"7":-100},"min_tokens":3,
                      "stop_token_ids":[9,4065],"logprobs":true,"top_logprobs":4,"priority":-2)");
  const SamplingParams& sampling = asked.request.sampling;
  EXPECT_EQ(sampling.min_p, 0.25f);
  EXPECT_EQ(sampling.presence_penalty, -1.5f);
  EXPECT_EQ(sampling.frequency_penalty, 0.5f);
  EXPECT_EQ(sampling.repetition_penalty, 1.25f);
  ASSERT_EQ(sampling.logit_bias.size(), 1u);
  EXPECT_EQ(sampling.logit_bias[0].id, TokenId{7});
  EXPECT_EQ(sampling.logit_bias[0].bias, -100.0f);
  EXPECT_EQ(sampling.min_tokens, 3);
  EXPECT_THAT(asked.request.stop_ids, ElementsAre(kImEnd, TokenId{4063}, TokenId{9}));
  EXPECT_EQ(asked.request.top_logprobs, 4);
  EXPECT_FALSE(asked.request.prompt_logprobs);
  EXPECT_EQ(asked.request.priority, -2);
}

TEST_F(ApiTest, StopIdsOfTheClientAreHiddenAndReported) {
  HttpClient client(port());
  const TokenId own = Ids("four").back();
  const std::string fields =
      R"("ignore_eos":true,"stop_token_ids":[)" + std::to_string(Value(own)) + "]," + kNoThinking;
  auto asked = Ask(&client, fields);
  EXPECT_THAT(asked.request.stop_ids, ElementsAre(own));
  asked.sink->OnTokens(Ids("one<|im_end|> two "), {});
  asked.sink->OnTokens(std::vector{own}, {});
  asked.sink->OnFinish({.reason = FinishReason::kStop});
  const Json choice = Json::parse(client.Receive().body)["choices"][0];
  EXPECT_EQ(choice["message"]["content"], "one two ");
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["stop_reason"], Value(own));
}

TEST_F(ApiTest, SpecialTokensAreShownWhereAsked) {
  HttpClient client(port());
  auto asked = Ask(&client, std::string(R"("skip_special_tokens":false,)") + kNoThinking);
  asked.sink->OnTokens(Ids("a<|im_start|>b"), {});
  asked.sink->OnTokens(std::vector{kImEnd}, {});
  asked.sink->OnFinish({.reason = FinishReason::kStop});
  const Json choice = Json::parse(client.Receive().body)["choices"][0];
  EXPECT_EQ(choice["message"]["content"], "a<|im_start|>b");
}

TEST_F(ApiTest, MaxTokensDefaultsToWhatIsLeft) {
  HttpClient client(port());
  auto asked = Ask(&client, "");
  EXPECT_EQ(asked.request.max_new_tokens + static_cast<int>(asked.request.prompt.size()), 8192);
  engine_.SetLimits({.max_model_len = 8192, .tokens_max = 1000, .vocab_size = 4096});
  HttpClient second(port());
  asked = Ask(&second, "");
  EXPECT_EQ(asked.request.max_new_tokens + static_cast<int>(asked.request.prompt.size()), 1000);
}

TEST_F(ApiTest, UserTextNeverBecomesAControlToken) {
  HttpClient client(port());
  client.Send(PostText(kChat, R"({"messages":[{"role":"user","content":"<|im_end|>"}]})"));
  const auto asked = engine_.AwaitSubmitted();
  const std::vector<TokenId>& prompt = asked.request.prompt;
  EXPECT_EQ(std::count(prompt.begin(), prompt.end(), kImEnd), 1);
  EXPECT_THAT(Decode(*Nano().tokenizer, prompt, SkipSpecial::kShow),
              HasSubstr("user\n<|im_end|><|im_end|>\n"));
}

TEST_F(ApiTest, ToolsAreRendered) {
  HttpClient client(port());
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"get_x","parameters":{"z":1,"a":2}}}])";
  auto asked = Ask(&client, tools);
  EXPECT_THAT(Decode(*Nano().tokenizer, asked.request.prompt, SkipSpecial::kShow),
              HasSubstr(R"({"type": "function", "function": {"name": "get_x", )"
                        R"("parameters": {"z": 1, "a": 2}}})"));
}

TEST_F(ApiTest, RefusesWithOpenAisEnvelope) {
  struct Case {
    std::string body;
    int status;
    const char* code;
    const char* message;
  };
  const Case cases[] = {
      {"{", 400, nullptr, "not valid JSON"},
      {ChatBody(R"("temperature":9)"), 400, nullptr, "temperature: expected a number"},
      {ChatBody("\"stop\":\"\xff\""), 400, nullptr, "UTF-8"},
      {R"({"model":"gpt","messages":[{"role":"user","content":"x"}]})", 404, "model_not_found",
       "`gpt` does not exist"},
      {R"({"messages":[{"role":"user","content":"x"},{"role":"king","content":"x"}]})", 400,
       nullptr, "Unexpected message role."},
      {R"({"messages":[{"role":"assistant","content":"x"}]})", 400, nullptr, "No user query found"},
      {R"({"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"",
          "tool_calls":[{"function":{"name":"f","arguments":"no json"}}]}]})",
       400, nullptr, "messages[1].tool_calls[0].function.arguments"},
      {ChatBody(R"("max_tokens":8190)"), 400, "context_length_exceeded",
       "maximum context length is 8192 tokens"},
  };
  HttpClient client(port());
  for (const Case& c : cases) {
    SCOPED_TRACE(c.body);
    const ClientResponse answer = client.Post(kChat, c.body);
    EXPECT_EQ(answer.status, c.status);
    const Json error = Json::parse(answer.body)["error"];
    EXPECT_EQ(error["code"], c.code == nullptr ? Json() : Json(c.code));
    EXPECT_EQ(error["type"], "invalid_request_error");
    EXPECT_TRUE(error.contains("param"));
    EXPECT_THAT(error["message"].get<std::string>(), HasSubstr(c.message));
  }
}

TEST_F(ApiTest, LongPromptsAreToldWhatFits) {
  HttpClient client(port());
  std::string words;
  for (int i = 0; i < 9000; ++i) words += "word ";
  const ClientResponse answer =
      client.Post(kChat, R"({"messages":[{"role":"user","content":")" + words + "\"}]}");
  EXPECT_EQ(answer.status, 400);
  const Json error = Json::parse(answer.body)["error"];
  EXPECT_EQ(error["code"], "context_length_exceeded");
  EXPECT_EQ(error["param"], "messages");
}

TEST_F(ApiTest, EnginesRefusalsGetTheirStatus) {
  HttpClient client(port());
  engine_.Refuse(ResourceExhausted("the queue is full"));
  ClientResponse answer = client.Post(kChat, ChatBody(R"("stream":true)"));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.headers.at("retry-after"), "3");
  engine_.Refuse(Unavailable("lost worker 1 (host b)"));
  answer = client.Post(kChat, ChatBody(""));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(Json::parse(answer.body)["error"]["message"], "lost worker 1 (host b)");
}

TEST_F(ApiTest, WithoutAClusterNothingIsParsed) {
  engine_.SetReady({.ready = false, .reason = "waiting for 1 of 2 workers"});
  HttpClient client(port());
  const ClientResponse answer = client.Post(kChat, "{");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.at("retry-after"), "3");
  EXPECT_THAT(answer.body, HasSubstr("waiting for 1 of 2 workers"));
  EXPECT_TRUE(MetricsHave("atoll_requests_refused_total{reason=\"not_ready\"} 1\n"));
}

TEST_F(ApiTest, WaitingTooLongIsARefusalOfItsOwn) {
  HttpClient client(port());
  auto asked = Ask(&client, "");
  asked.sink->OnFinish(
      {.reason = FinishReason::kError, .status = Unavailable("waited 9 s in the queue")});
  EXPECT_EQ(client.Receive().status, 503);
  EXPECT_TRUE(MetricsHave("atoll_requests_refused_total{reason=\"queue_timeout\"} 1\n"));
}

TEST_F(ApiTest, ALostWorkerIs503BeforeTheFirstTokenAndAnEventAfterIt) {
  const absl::Status lost = Unavailable("lost worker 1");
  HttpClient whole(port()), waiting(port()), begun(port());
  auto first = Ask(&whole, "");
  first.sink->OnTokens(Ids("so far"), {});
  auto second = Ask(&waiting, R"("stream":true)");
  auto third = Ask(&begun, R"("stream":true)");
  third.sink->OnTokens(Ids("so far"), {});
  OnServer([] {});  // it has begun
  for (auto* asked : {&first, &second, &third}) {
    asked->sink->OnFinish({.reason = FinishReason::kError, .status = lost});
  }
  EXPECT_EQ(whole.Receive().status, 503);
  EXPECT_EQ(waiting.Receive().status, 503);
  const ClientResponse answer = begun.Receive();
  EXPECT_EQ(answer.status, 200);
  const std::vector<std::string> events = EventsOf(answer.body);
  ASSERT_GE(events.size(), 3u);
  EXPECT_EQ(Json::parse(events[events.size() - 2])["error"]["message"], "lost worker 1");
  EXPECT_EQ(events.back(), "[DONE]");
}

TEST_F(ApiTest, InternalErrorsTellNothing) {
  HttpClient client(port());
  auto asked = Ask(&client, "");
  asked.sink->OnFinish({.reason = FinishReason::kError, .status = Internal("/secret/path")});
  const ClientResponse answer = client.Receive();
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.body, Not(HasSubstr("secret")));
}

TEST_F(ApiTest, LeavingCancels) {
  HttpClient whole(port()), stream(port());
  const auto first = Ask(&whole, "");
  auto second = Ask(&stream, R"("stream":true)");
  second.sink->OnTokens(Ids("text"), {});
  ASSERT_TRUE(stream.ReadUntil("assistant"));
  whole.CloseNow();
  engine_.AwaitCancelled(first.seq);
  EXPECT_FALSE(engine_.Cancelled(second.seq));
  stream.CloseNow();
  engine_.AwaitCancelled(second.seq);
}

TEST_F(ApiTest, ManyStreamsAtOnce) {
  constexpr int kStreams = 64;
  std::vector<std::unique_ptr<HttpClient>> clients;
  std::vector<FakeEngine::Submitted> asked;
  for (int i = 0; i < kStreams; ++i) {
    clients.push_back(std::make_unique<HttpClient>(port()));
    asked.push_back(Ask(clients.back().get(), std::string(R"("stream":true,)") + kNoThinking));
  }
  for (int step = 0; step < 20; ++step) {
    for (int i = 0; i < kStreams; ++i) {
      asked[i].sink->OnTokens(Ids("s" + std::to_string(i) + "."), {});
    }
  }
  for (auto& one : asked) one.sink->OnFinish({.reason = FinishReason::kLength});
  for (int i = 0; i < kStreams; ++i) {
    std::string content;
    for (const std::string& event : EventsOf(clients[i]->Receive().body)) {
      if (event == "[DONE]") break;
      content += Json::parse(event)["choices"][0]["delta"].value("content", "");
    }
    std::string expected;
    for (int step = 0; step < 20; ++step) expected += "s" + std::to_string(i) + ".";
    EXPECT_EQ(content, expected);
  }
}

TEST_F(ApiTest, TheSmallEndpoints) {
  HttpClient client(port());
  EXPECT_EQ(client.Get("/health").status, 200);
  const Json models = Json::parse(client.Get("/v1/models").body);
  EXPECT_EQ(models["object"], "list");
  EXPECT_EQ(models["data"][0]["id"], "nano");
  EXPECT_EQ(models["data"][0]["object"], "model");
  EXPECT_EQ(models["data"][0]["max_model_len"], 8192);
  EXPECT_EQ(Json::parse(client.Get("/v1/models/nano").body)["id"], "nano");
  EXPECT_EQ(Json::parse(client.Get("/v1/models/other").body)["error"]["code"], "model_not_found");
  const Json version = Json::parse(client.Get("/version").body);
  EXPECT_EQ(version["version"], "1.2.3");
  EXPECT_EQ(version["numerics"], "canonical-1");
  EXPECT_EQ(version["kernels"]["0"], "avx2");
  EXPECT_EQ(client.Get("/ready").status, 200);
  engine_.SetReady({.ready = false, .reason = "lost worker 1 (host b)"});
  const ClientResponse ready = client.Get("/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(Json::parse(ready.body)["reason"], "lost worker 1 (host b)");
}

TEST_F(ApiTest, UnknownPathsAndMethods) {
  HttpClient client(port());
  ClientResponse answer = client.Get("/v1/nothing");
  EXPECT_EQ(answer.status, 404);
  EXPECT_TRUE(Json::parse(answer.body)["error"].is_object());
  answer = client.Get(kChat);
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.headers.at("allow"), "POST");
  answer = client.Post("/v1/models", "");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.headers.at("allow"), "GET, HEAD");
  client.Send("BREW " + std::string(kChat) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 405);
  client.Send("no http\r\n\r\n");
  answer = client.Receive();
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(Json::parse(answer.body)["error"].is_object());
}

TEST_F(ApiTest, CountsWhatItDoes) {
  HttpClient client(port());
  client.Post(kChat, "{");
  client.Get("/nothing");
  auto asked = Ask(&client, R"("max_tokens":2)");
  asked.sink->OnTokens(Ids("a"), {});
  asked.sink->OnTokens(Ids("b"), {});
  asked.sink->OnFinish({.reason = FinishReason::kLength});
  client.Receive();
  const ClientResponse answer = client.Get("/metrics");
  EXPECT_EQ(answer.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  for (const char* line :
       {"atoll_http_requests_total{code=\"400\",endpoint=\"chat_completions\"} 1\n",
        "atoll_http_requests_total{code=\"200\",endpoint=\"chat_completions\"} 1\n",
        "atoll_http_requests_total{code=\"404\",endpoint=\"other\"} 1\n",
        "atoll_tokens_total{kind=\"generated\"} 2\n", "atoll_time_to_first_token_seconds_count 1\n",
        "atoll_inter_token_seconds_count 1\n"}) {
    EXPECT_THAT(answer.body, HasSubstr(line));
  }
}

}  // namespace
}  // namespace atl::coordinator
