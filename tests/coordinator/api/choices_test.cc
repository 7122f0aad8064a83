// Several answers to one request: order, seeds, endings, refusals.
#include <nlohmann/json.hpp>

#include "tests/coordinator/api/api_fixture.h"

namespace atl::coordinator {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

const std::string kThree = std::string(R"("n":3,"seed":40,)") + kNoThinking;

class ChoicesTest : public ApiTest {};

// Three sequences that say "a0 a1", "b0" and "c0 STOP"; the second samples its stop id.
void Play(std::vector<FakeEngine::Submitted>* asked) {
  auto& all = *asked;
  all[1].sink->OnTokens(Ids("b0"), {});
  all[0].sink->OnTokens(Ids("a0"), {});
  all[2].sink->OnTokens(Ids("c0 ST"), {});
  all[0].sink->OnTokens(Ids(" a1"), {});
  all[1].sink->OnTokens(std::vector{kImEnd}, {});
  all[1].sink->OnFinish({.reason = FinishReason::kStop});
  all[2].sink->OnTokens(Ids("OP"), {});
  all[0].sink->OnFinish({.reason = FinishReason::kLength});
}

TEST_F(ChoicesTest, AreSequencesWithAscendingSeeds) {
  HttpClient client(port());
  client.Send(PostText(kChat, ChatBody(kThree)));
  auto asked = AwaitSubmitted(3);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(asked[i].request.seed, 40 + i);
    EXPECT_EQ(asked[i].request.prompt, asked[0].request.prompt);
  }
}

TEST_F(ChoicesTest, CompleteResponsesHaveThemInOrder) {
  HttpClient client(port());
  client.Send(PostText(kChat, ChatBody(kThree + R"(,"stop":"STOP")")));
  auto asked = AwaitSubmitted(3);
  Play(&asked);
  const Json json = Json::parse(client.Receive().body);
  ASSERT_EQ(json["choices"].size(), 3u);
  const char* texts[] = {"a0 a1", "b0", "c0 "};
  const char* reasons[] = {"length", "stop", "stop"};
  int64_t tokens = 1;
  for (size_t i = 0; i < 3; ++i) {
    const Json& choice = json["choices"][i];
    EXPECT_EQ(choice["index"], i);
    EXPECT_EQ(choice["message"]["content"], texts[i]);
    EXPECT_EQ(choice["finish_reason"], reasons[i]);
  }
  EXPECT_EQ(json["choices"][1]["stop_reason"], nullptr);
  EXPECT_EQ(json["choices"][2]["stop_reason"], "STOP");
  for (const char* text : {"a0", " a1", "b0", "c0 ST", "OP"}) {
    tokens += static_cast<int64_t>(Ids(text).size());
  }
  EXPECT_EQ(json["usage"]["completion_tokens"], tokens);
  EXPECT_EQ(json["usage"]["prompt_tokens"], asked[0].request.prompt.size());
  engine_.AwaitCancelled(asked[2].seq);
}

TEST_F(ChoicesTest, StreamsBeginEachWithItsRoleAndEndWithUsage) {
  HttpClient client(port());
  client.Send(PostText(kChat, ChatBody(kThree + R"(,"stop":"STOP","stream":true,
                                   "stream_options":{"include_usage":true})")));
  auto asked = AwaitSubmitted(3);
  Play(&asked);
  const std::vector<Json> chunks = ChunksOf(client.Receive().body);
  std::vector<std::string> texts(3), reasons(3);
  std::vector<int> seen(3, 0);
  for (size_t at = 0; at + 1 < chunks.size(); ++at) {
    ASSERT_EQ(chunks[at]["choices"].size(), 1u);
    const Json& choice = chunks[at]["choices"][0];
    const auto index = choice["index"].get<size_t>();
    EXPECT_EQ(choice["delta"].contains("role"), seen[index]++ == 0);
    EXPECT_EQ(reasons[index], "");  // nothing follows the end
    texts[index] += choice["delta"].value("content", "");
    if (!choice["finish_reason"].is_null()) reasons[index] = choice["finish_reason"];
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"a0 a1", "b0", "c0 "}));
  EXPECT_EQ(reasons, (std::vector<std::string>{"length", "stop", "stop"}));
  EXPECT_EQ(chunks.back()["choices"], Json::array());
  EXPECT_EQ(chunks.back()["usage"]["prompt_tokens"], asked[0].request.prompt.size());
}

TEST_F(ChoicesTest, RefusedHalfWayNoneRuns) {
  HttpClient client(port());
  engine_.RefuseAfter(2, ResourceExhausted("the queue is full"));
  client.Send(PostText(kChat, ChatBody(kThree)));
  auto asked = AwaitSubmitted(2);
  const ClientResponse answer = client.Receive();
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.headers.at("retry-after"), "3");
  for (auto& one : asked) {
    engine_.AwaitCancelled(one.seq);
    one.sink->OnFinish({.reason = FinishReason::kCancelled});
  }
  EXPECT_TRUE(MetricsHave("atoll_requests_refused_total{reason=\"queue_full\"} 1\n"));
}

TEST_F(ChoicesTest, AnErrorOfOneEndsAll) {
  HttpClient client(port());
  client.Send(PostText(kChat, ChatBody(kThree + R"(,"stream":true)")));
  auto asked = AwaitSubmitted(3);
  asked[0].sink->OnTokens(Ids("so far"), {});
  OnServer([] {});  // the stream has begun
  asked[1].sink->OnFinish({.reason = FinishReason::kError, .status = Unavailable("lost worker 1")});
  const std::vector<Json> chunks = ChunksOf(client.Receive().body);
  EXPECT_EQ(chunks.back()["error"]["message"], "lost worker 1");
  engine_.AwaitCancelled(asked[0].seq);
  engine_.AwaitCancelled(asked[2].seq);
}

TEST_F(ChoicesTest, TimingsAreTheLongestOfAll) {
  HttpClient client(port());
  client.Send(PostText(
      kChat, ChatBody(R"("n":2,"include_timings":true,"stop":"END",)" + std::string(kNoThinking))));
  auto asked = AwaitSubmitted(2);
  asked[0].sink->OnTokens(Ids("a END"), {});
  asked[1].sink->OnTokens(Ids("b"), {});
  asked[1].sink->OnFinish({.reason = FinishReason::kLength,
                           .timings = {.queued = absl::Milliseconds(5),
                                       .prefill = absl::Milliseconds(20),
                                       .decode = absl::Milliseconds(7),
                                       .preemptions = 1}});
  engine_.AwaitCancelled(asked[0].seq);
  asked[0].sink->OnFinish({.reason = FinishReason::kCancelled,
                           .timings = {.queued = absl::Milliseconds(10),
                                       .prefill = absl::Milliseconds(3),
                                       .preempted = absl::Milliseconds(1.5),
                                       .preemptions = 2}});
  const Json timings = Json::parse(client.Receive().body)["usage"]["timings"];
  EXPECT_EQ(timings["queued_ms"], 10.0);
  EXPECT_EQ(timings["prefill_ms"], 20.0);
  EXPECT_EQ(timings["decode_ms"], 7.0);
  EXPECT_EQ(timings["preempted_ms"], 1.5);
  EXPECT_EQ(timings["preemptions"], 3);
}

TEST_F(ChoicesTest, LeavingCancelsAll) {
  HttpClient client(port());
  client.Send(PostText(kChat, ChatBody(kThree)));
  const auto asked = AwaitSubmitted(3);
  client.CloseNow();
  for (const auto& one : asked) engine_.AwaitCancelled(one.seq);
}

}  // namespace
}  // namespace atl::coordinator
