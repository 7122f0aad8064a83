#include "coordinator/api/openai/answer_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "common/text/utf8.h"
#include "coordinator/api/openai/logprobs_format.h"
#include "coordinator/api/openai/tokenize_format.h"

namespace atl::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::json;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

const ResponseHeader kChat{
    .kind = ResponseKind::kChat, .id = "chatcmpl-\"1", .model = "m\n", .created_unix_s = 7};
const ResponseHeader kText{
    .kind = ResponseKind::kCompletion, .id = "cmpl-1", .model = "m", .created_unix_s = 7};

// The JSON of each event.
std::vector<Json> Events(const std::string& text) {
  std::vector<Json> events;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find("\n\n", at);
    EXPECT_EQ(text.substr(at, 6), "data: ");
    EXPECT_NE(end, std::string::npos);
    events.push_back(Json::parse(text.substr(at + 6, end - at - 6)));
    at = end + 2;
  }
  return events;
}

Json Event(const std::string& text) {
  const std::vector<Json> events = Events(text);
  EXPECT_EQ(events.size(), 1u);
  return events.empty() ? Json() : events[0];
}

TEST(ChatStreamTest, EachChoiceBeginsWithItsRole) {
  EXPECT_EQ(Event(BeginEvent(kChat, 3)), Json::parse(R"({
    "id": "chatcmpl-\"1", "object": "chat.completion.chunk", "created": 7, "model": "m\n",
    "choices": [{"index": 3, "delta": {"role": "assistant", "content": ""},
                 "logprobs": null, "finish_reason": null}]})"));
}

TEST(ChatStreamTest, OnePieceIsOneDelta) {
  const Json event =
      Event(DeltaEvents(kChat, {.index = 1, .text = {.reasoning = "why\t", .content = "\"é\xff"}}));
  EXPECT_EQ(event["choices"][0]["index"], 1);
  EXPECT_EQ(event["choices"][0]["delta"],
            Json({{"reasoning_content", "why\t"}, {"content", "\"é\uFFFD"}}));
  EXPECT_EQ(Event(DeltaEvents(kChat, {.text = {.reasoning = "a"}}))["choices"][0]["delta"],
            Json({{"reasoning_content", "a"}}));
  EXPECT_EQ(DeltaEvents(kChat, {}), "");
  EXPECT_EQ(DeltaEvents(kChat, {.logprobs = std::vector<ReportedToken>{}}), "");
}

TEST(ChatStreamTest, TokensWithoutTextAreReported) {
  const Json choice = Event(
      DeltaEvents(kChat, {.logprobs = std::vector<ReportedToken>{
                              {.bytes = "\xe4\xb8",
                               .logprob = -0.5f,
                               .top = {{"\xe4\xb8", -0.5f}, {"", -kInfinity}}}}}))["choices"][0];
  EXPECT_EQ(choice["delta"], Json({{"content", ""}}));
  EXPECT_EQ(choice["logprobs"], Json::parse(R"({"content": [
    {"token": "\uFFFD", "logprob": -0.5, "bytes": [228, 184], "top_logprobs": [
      {"token": "\uFFFD", "logprob": -0.5, "bytes": [228, 184]},
      {"token": "", "logprob": -9999.0, "bytes": []}]}]})"));
}

TEST(ChatStreamTest, TheEndHasItsOwnChunk) {
  const std::vector<Json> events =
      Events(DeltaEvents(kChat, {.index = 2,
                                 .text = {.content = "x"},
                                 .end = ChoiceEnd{FinishReason::kStop, std::string("\"E")}}));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["choices"][0]["finish_reason"], nullptr);
  EXPECT_FALSE(events[0]["choices"][0].contains("stop_reason"));
  EXPECT_EQ(events[1]["choices"][0],
            Json::parse(R"({"index": 2, "delta": {}, "logprobs": null, "finish_reason": "stop",
                            "stop_reason": "\"E"})"));
}

TEST(UsageTest, ReportsTimesWhereAsked) {
  Usage usage{.prompt_tokens = 5, .completion_tokens = 3};
  const Json plain = Event(UsageEvent(kChat, usage));
  EXPECT_THAT(plain["choices"], IsEmpty());
  EXPECT_EQ(plain["usage"],
            Json({{"prompt_tokens", 5}, {"completion_tokens", 3}, {"total_tokens", 8}}));
  usage.timings = RequestTimings{.queued = absl::Milliseconds(0.25),
                                 .prefill = absl::Milliseconds(1e7),
                                 .decode = absl::Milliseconds(3),
                                 .preempted = absl::Milliseconds(0.0004),
                                 .preemptions = 2};
  EXPECT_EQ(Event(UsageEvent(kText, usage))["usage"]["timings"],
            Json::parse(R"({"queued_ms": 0.25, "prefill_ms": 10000000.0, "decode_ms": 3.0,
                            "preempted_ms": 0.0, "preemptions": 2})"));
}

TEST(ChatAnswerTest, HoldsEveryChoice) {
  const std::vector<ChoiceDelta> choices = {
      {.index = 0, .text = {.content = "a"}, .end = ChoiceEnd{FinishReason::kLength}},
      {.index = 1,
       .text = {.reasoning = "r", .content = "b"},
       .logprobs = std::vector<ReportedToken>{{.bytes = "b", .logprob = -1e-7f}},
       .end = ChoiceEnd{FinishReason::kStop, TokenId{42}}}};
  const Json answer = Json::parse(CompleteResponse(kChat, choices, {.prompt_tokens = 1}));
  EXPECT_EQ(answer["object"], "chat.completion");
  EXPECT_EQ(answer["choices"][0], Json::parse(R"({
    "index": 0, "message": {"role": "assistant", "content": "a", "reasoning_content": null},
    "logprobs": null, "finish_reason": "length", "stop_reason": null})"));
  EXPECT_EQ(answer["choices"][1]["message"]["reasoning_content"], "r");
  EXPECT_EQ(answer["choices"][1]["stop_reason"], 42);
  EXPECT_EQ(answer["choices"][1]["logprobs"]["content"][0]["logprob"].get<float>(), -1e-7f);
  EXPECT_EQ(answer["usage"]["total_tokens"], 1);
}

TEST(CompletionTest, OneChunkTellsTextTokensAndEnd) {
  const ChoiceDelta delta{
      .index = 4,
      .text = {.content = "世!"},
      .logprobs =
          std::vector<ReportedToken>{{.bytes = "\xe4\xb8"},
                                     {.bytes = "\x96", .logprob = -0.1f, .top = {{"a", -0.1f}}},
                                     {.bytes = "!", .logprob = -kInfinity}},
      .text_offset = 10,
      .end = ChoiceEnd{FinishReason::kLength}};
  EXPECT_EQ(BeginEvent(kText, 4), "");
  const std::string event = DeltaEvents(kText, delta);
  EXPECT_THAT(event, HasSubstr("-0.1,"));
  const Json chunk = Event(event);
  EXPECT_EQ(chunk["object"], "text_completion");
  Json choice = chunk["choices"][0];
  // The second half of a character begins where the next one does.
  EXPECT_EQ(choice["logprobs"]["text_offset"], Json({10, 11, 11}));
  EXPECT_EQ(choice["logprobs"]["tokens"], Json({"\uFFFD", "\uFFFD", "!"}));
  EXPECT_EQ(choice["logprobs"]["top_logprobs"],
            Json::parse(R"([null, {"a": -0.1, "\uFFFD": -0.1}, {"!": -9999.0}])"));
  EXPECT_EQ(choice["logprobs"]["token_logprobs"], Json::parse("[null, -0.1, -9999.0]"));
  choice.erase("logprobs");
  EXPECT_EQ(choice, Json::parse(R"({"index": 4, "text": "世!", "finish_reason": "length",
                                    "stop_reason": null})"));
  const Json whole = Json::parse(CompleteResponse(kText, std::vector{delta}, {}));
  EXPECT_EQ(whole["object"], "text_completion");
  EXPECT_EQ(whole["choices"], chunk["choices"]);
}

TEST(LogprobsTest, KeysOfTopLogprobsAreUnique) {
  const std::vector<ReportedToken> tokens = {
      {.bytes = "\xfe", .logprob = -3.0f, .top = {{"\xff", -1.0f}, {"a", -2.0f}, {"\xfe", -3.0f}}}};
  EXPECT_THAT(CompletionLogprobsJson(tokens, 0),
              HasSubstr("\"top_logprobs\":[{\"\uFFFD\":-1,\"a\":-2}]"));
}

TEST(LogprobsTest, NumbersReadBackToTheSameFloat) {
  for (const float value : {-0.0f, -1e-45f, -1.1754944e-38f, -0.1f, -1.0f / 3, -16777216.0f / 3e3f,
                            -9998.999f, 3e-8f}) {
    const Json list = Json::parse(ChatLogprobsJson(std::vector{ReportedToken{"x", value}}));
    EXPECT_EQ(list["content"][0]["logprob"].get<float>(), value);
  }
  for (const float value :
       {-9999.0f, -1e30f, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_THAT(ChatLogprobsJson(std::vector{ReportedToken{"x", value}}),
                HasSubstr("\"logprob\":-9999.0,"));
  }
}

TEST(LogprobsTest, CountsCharacters) {
  EXPECT_EQ(NumCharacters(""), 0);
  EXPECT_EQ(NumCharacters("aé世🌊"), 4);
  EXPECT_EQ(NumCharacters("\xe4\xb8") + NumCharacters("\x96"), 1);
}

TEST(AnswerFormatTest, AnyBytesReadBackRepaired) {
  std::mt19937 random(5);
  const std::string alphabet = "a\"\\/\n\x01\x7f{},:\xc3\xa9\xf0\x9f\x8c\x8a\xff\xed\xa0";
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (size_t size = random() % 20; size > 0; --size) {
      text.push_back(alphabet[random() % alphabet.size()]);
    }
    std::string repaired;
    Utf8Repairer repairer;
    repairer.Append(text, &repaired);
    repairer.Finish(&repaired);
    const ChoiceDelta delta{.text = {.content = text},
                            .logprobs = std::vector{ReportedToken{.bytes = text, .logprob = -1.0f}},
                            .end = ChoiceEnd{FinishReason::kStop, text}};
    const Json choice = Json::parse(CompleteResponse(kText, std::vector{delta}, {}))["choices"][0];
    EXPECT_EQ(choice["text"], repaired);
    EXPECT_EQ(choice["stop_reason"], repaired);
    EXPECT_EQ(choice["logprobs"]["tokens"][0], repaired);
    const Json told =
        Json::parse(CompleteResponse(kChat, std::vector{delta}, {}))["choices"][0]["logprobs"];
    EXPECT_EQ(told["content"][0]["token"], repaired);
    std::string bytes;
    for (const int byte : told["content"][0]["bytes"]) bytes.push_back(static_cast<char>(byte));
    EXPECT_EQ(bytes, text);
  }
}

TEST(TokenizeFormatTest, AnswersInBothDirections) {
  const std::vector<TokenId> ids = {TokenId{1}, TokenId{200}};
  EXPECT_EQ(TokenizeResponse(ids, 4096, std::nullopt),
            R"({"count":2,"max_model_len":4096,"tokens":[1,200],"token_strs":null})");
  const Json told = Json::parse(TokenizeResponse(ids, 9, std::vector<std::string>{"\"", "\xe4"}));
  EXPECT_EQ(told["token_strs"], Json({"\"", "\uFFFD"}));
  EXPECT_EQ(TokenizeResponse({}, 9, std::vector<std::string>{}),
            R"({"count":0,"max_model_len":9,"tokens":[],"token_strs":[]})");
  EXPECT_EQ(DetokenizeResponse("a\"\x01"), R"({"prompt":"a\"\u0001"})");
}

}  // namespace
}  // namespace atl::coordinator
