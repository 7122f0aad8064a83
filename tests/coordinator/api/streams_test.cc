// Streams whose clients read slowly, or whose tokens are long in coming.
#include <nlohmann/json.hpp>
#include <random>

#include "tests/coordinator/api/api_fixture.h"

namespace atl::coordinator {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kStream = std::string(R"("stream":true,)") + kNoThinking;
// Little enough that a few dozen events fill what the system buffers.
const HttpOptions kNarrow{.backlog_bytes = 1024, .send_buffer_bytes = 4096};

class StreamsTest : public ApiTest {};

TEST_F(StreamsTest, WhatASlowReaderMissedComesAsOneEvent) {
  Start(kNarrow);
  HttpClient client(port(), 4096);
  auto asked = Ask(&client, kStream);
  std::string expected;
  for (int i = 0; i < 400; ++i) {
    const std::string text = "word" + std::to_string(i) + " and what stands beside it. ";
    asked.sink->OnTokens(Ids(text), {});
    OnServer([] {});
    expected += text;
  }
  asked.sink->OnFinish({.reason = FinishReason::kLength});
  const std::vector<Json> chunks = ChunksOf(client.Receive().body);
  std::string text;
  size_t longest = 0;
  for (const Json& chunk : chunks) {
    const std::string delta = chunk["choices"][0]["delta"].value("content", "");
    longest = std::max(longest, delta.size());
    text += delta;
  }
  EXPECT_EQ(text, expected);
  EXPECT_LT(chunks.size(), 300u);
  EXPECT_GT(longest, 1000u);
}

TEST_F(StreamsTest, WhoCatchesUpGetsEachStepAgain) {
  Start(kNarrow);
  HttpClient client(port(), 4096);
  auto asked = Ask(&client, kStream);
  for (int i = 0; i < 400; ++i) {
    asked.sink->OnTokens(Ids("some text that waits for its reader. "), {});
    OnServer([] {});
  }
  asked.sink->OnTokens(Ids("LAST"), {});
  EXPECT_TRUE(client.ReadUntil("LAST"));  // nothing new comes to push it out
  asked.sink->OnTokens(Ids("next"), {});
  EXPECT_TRUE(client.ReadUntil("\"content\":\"next\""));
}

TEST_F(StreamsTest, WhoDoesNotReadAtAllIsDropped) {
  Start(kNarrow);
  HttpClient client(port(), 4096);
  auto asked = Ask(&client, kStream);
  for (int i = 0; i < 20'000 && !engine_.Cancelled(asked.seq); ++i) {
    asked.sink->OnTokens(Ids("some text that nobody reads"), {});
    OnServer([] {});
  }
  engine_.AwaitCancelled(asked.seq);
  OnServer([] {});
  EXPECT_TRUE(MetricsHave("atoll_slow_readers_dropped_total 1\n"));
  EXPECT_TRUE(MetricsHave("atoll_streams_open 0\n"));
}

// More than the server lets wait for a client: it comes in parts.
TEST_F(StreamsTest, ALongEchoLeavesAsTheClientReads) {
  HttpOptions http = kNarrow;
  http.outbox_bytes_max = 200'000;
  Start(http);
  std::string ids = "[1";
  std::vector<TokenLogprobs> told;
  for (int i = 1; i < 8000; ++i) {
    ids += "," + std::to_string(1 + i % 200);
    told.push_back({.logprob = -0.25f, .rank = 1, .top = {{TokenId{i % 200}, -0.25f}}});
  }
  HttpClient client(port(), 4096);
  client.Send(
      PostText(kCompletions, R"({"stream":true,"echo":true,"logprobs":1,"prompt":)" + ids + "]}"));
  auto asked = engine_.AwaitSubmitted();
  asked.sink->OnPrompt(8000, told);
  asked.sink->OnTokens(Ids("END"), std::vector<TokenLogprobs>(Ids("END").size()));
  asked.sink->OnFinish({.reason = FinishReason::kLength});
  const std::string body = client.Receive().body;
  EXPECT_GT(body.size(), http.outbox_bytes_max);
  std::string text;
  size_t tokens = 0;
  int64_t offset = 0;
  const std::vector<Json> chunks = ChunksOf(body);
  for (const Json& chunk : chunks) {
    const Json& choice = chunk["choices"][0];
    text += choice["text"].get<std::string>();
    EXPECT_EQ(choice["finish_reason"].is_null(), &chunk != &chunks.back());
    if (choice["logprobs"].is_null()) continue;
    tokens += choice["logprobs"]["tokens"].size();
    for (const Json& at : choice["logprobs"]["text_offset"]) {
      EXPECT_GE(at.get<int64_t>(), offset);
      offset = at;
    }
  }
  EXPECT_EQ(tokens, 8000 + Ids("END").size());
  EXPECT_EQ(text.substr(text.size() - 3), "END");
}

TEST_F(StreamsTest, SilentStreamsGetComments) {
  HttpClient client(port());
  auto asked = Ask(&client, kStream);
  OnServer([] {});
  Tick(4'999);
  EXPECT_TRUE(MetricsHave("atoll_stream_comments_total 0\n"));
  Tick(1);
  EXPECT_TRUE(client.ReadUntil(": waiting\n\n"));
  asked.sink->OnPrompt(1, {});
  OnServer([] {});
  Tick(5'000);
  const auto prompt_tokens = std::to_string(asked.request.prompt.size());
  EXPECT_TRUE(client.ReadUntil(": prefill 1/" + prompt_tokens + "\n\n"));
  asked.sink->OnTokens(Ids("first"), {});
  EXPECT_TRUE(client.ReadUntil("first"));
  Tick(4'000);
  Tick(1'000);
  EXPECT_TRUE(client.ReadUntil(": alive\n\n"));
  // The stream has begun: what fails now is an event.
  asked.sink->OnFinish({.reason = FinishReason::kError, .status = Unavailable("lost worker 1")});
  EXPECT_TRUE(client.ReadUntil("[DONE]"));
  EXPECT_TRUE(MetricsHave("atoll_stream_comments_total 3\n"));
  EXPECT_TRUE(MetricsHave("atoll_streams_broken_total 1\n"));
}

TEST_F(StreamsTest, AfterACommentARefusalIsAnEvent) {
  HttpClient client(port());
  auto asked = Ask(&client, kStream);
  OnServer([] {});
  Tick(5'000);
  asked.sink->OnFinish({.reason = FinishReason::kError,
                        .status = Unavailable("waited 9 s in the queue; try again later")});
  const ClientResponse answer = client.Receive();
  EXPECT_EQ(answer.status, 200);
  const std::vector<Json> chunks = ChunksOf(answer.body);
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_THAT(chunks[0]["error"]["message"], HasSubstr("waited 9 s"));
}

TEST_F(StreamsTest, CompleteResponsesGetNoComments) {
  HttpClient client(port());
  auto asked = Ask(&client, "");
  OnServer([] {});
  Tick(60'000);
  asked.sink->OnFinish({.reason = FinishReason::kLength});
  EXPECT_EQ(client.Receive().status, 200);
  EXPECT_TRUE(MetricsHave("atoll_stream_comments_total 0\n"));
}

// Bits of which stop strings and half characters are made.
std::vector<TokenId> RandomTokens(std::mt19937* random) {
  const std::vector<std::string> bits = {
      "ST",       "OP",          "STOP", "S", "word", " ", "\n\n", "e\xCC\x81", "\xF0\x9F\x98\x80",
      "</think>", "<|im_start|>"};
  std::vector<TokenId> ids;
  for (size_t n = 1 + (*random)() % 12; n > 0; --n) {
    if ((*random)() % 8 == 0) {
      ids.push_back(TokenId{static_cast<int32_t>((*random)() % 300)});
    } else {
      for (const TokenId id : Ids(bits[(*random)() % bits.size()])) ids.push_back(id);
    }
  }
  return ids;
}

// The streamed deltas joined are the whole answer, whatever the tokens, fields and steps.
TEST_F(StreamsTest, JoinedEqualTheCompleteAnswer) {
  std::mt19937 random(20240607);
  const char* fields[] = {"",
                          R"(,"stop":["STOP","d\n"])",
                          R"(,"stop":"STOP","min_tokens":4)",
                          R"(,"stop":["OP"],"include_stop_str_in_output":true)",
                          R"(,"skip_special_tokens":false,"stop_token_ids":[100])",
                          R"(,"chat_template_kwargs":{"enable_thinking":true})"};
  for (int round = 0; round < 300; ++round) {
    const std::vector<TokenId> ids = RandomTokens(&random);
    const std::string more = fields[random() % std::size(fields)];
    HttpClient whole(port()), stream(port());
    auto first = Ask(&whole, R"("max_tokens":500)" + more);
    first.sink->OnTokens(ids, {});
    first.sink->OnFinish({.reason = FinishReason::kLength});
    auto second = Ask(&stream, R"("max_tokens":500,"stream":true)" + more);
    for (size_t at = 0; at < ids.size();) {
      const size_t size = std::min<size_t>(1 + random() % 3, ids.size() - at);
      second.sink->OnTokens(std::span(ids).subspan(at, size), {});
      at += size;
    }
    second.sink->OnFinish({.reason = FinishReason::kLength});
    const Json choice = Json::parse(whole.Receive().body)["choices"][0];
    std::string reasoning, content;
    Json reason, stop_reason;
    for (const Json& chunk : ChunksOf(stream.Receive().body)) {
      const Json& part = chunk["choices"][0];
      reasoning += part["delta"].value("reasoning_content", "");
      content += part["delta"].value("content", "");
      reason = part["finish_reason"];
      stop_reason = part.value("stop_reason", Json());
    }
    const Json& message = choice["message"];
    const std::string whole_reasoning =
        message["reasoning_content"].is_null() ? "" : message["reasoning_content"];
    ASSERT_EQ(content, message["content"]) << "round " << round << more;
    ASSERT_EQ(reasoning, whole_reasoning) << "round " << round << more;
    ASSERT_EQ(reason, choice["finish_reason"]);
    ASSERT_EQ(stop_reason, choice.value("stop_reason", Json()));
  }
}

}  // namespace
}  // namespace atl::coordinator
