// The API over the real engine, with workers that need no model.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "coordinator/api/api.h"
#include "coordinator/api/openai/request/request_parser.h"
#include "coordinator/generation/prepare_generation.h"
#include "coordinator/output/response_stream.h"
#include "coordinator/telemetry/engine_metrics.h"
#include "coordinator/telemetry/worker_roster.h"
#include "tests/coordinator/http/http_client.h"
#include "tests/support/fake_channel.h"
#include "tests/support/status_matchers.h"

namespace atl::testing {
namespace {

using Json = nlohmann::json;
using coordinator::Api;
using coordinator::ApiOptions;
using coordinator::ApiParts;
using coordinator::ChatRequest;
using coordinator::ClientResponse;
using coordinator::Engine;
using coordinator::EngineMetrics;
using coordinator::EventsOf;
using coordinator::ExpertRows;
using coordinator::HttpClient;
using coordinator::HttpServer;
using coordinator::LoadServedModel;
using coordinator::ParseChatRequest;
using coordinator::PostText;
using coordinator::PrepareChat;
using coordinator::PreparedGeneration;
using coordinator::Request;
using coordinator::ResponseStream;
using coordinator::ServedModel;
using coordinator::WorkerEvents;
using coordinator::WorkerId;
using coordinator::WorkerRoster;
using ::testing::HasSubstr;

constexpr const char* kChat = "/v1/chat/completions";
constexpr FakeWorkerOptions kWorker{.kv_blocks = 512, .state_slots = 16, .vocab_size = 4096};

const ServedModel& Nano() {
  static const auto model = LoadServedModel({.directory = "tools/nano/checkpoint", .name = "nano"});
  CHECK_OK(model.status());
  return **model;
}

// Fake workers say that their vocabulary has 1000 entries; the nano tokenizer has 4096.
class NanoVocabulary : public WorkerEvents {
 public:
  explicit NanoVocabulary(WorkerEvents& next) : next_(next) {}
  void OnHello(WorkerId worker, WorkerHello hello) override {
    hello.vocab_size = Nano().vocab_size;
    next_.OnHello(worker, std::move(hello));
  }
  void OnReady(WorkerId worker, absl::StatusOr<WorkerReady> ready) override {
    next_.OnReady(worker, std::move(ready));
  }
  void OnResult(WorkerId worker, StepResult result) override {
    next_.OnResult(worker, std::move(result));
  }
  void OnClosed(WorkerId worker, absl::Status why) override {
    next_.OnClosed(worker, std::move(why));
  }

 private:
  WorkerEvents& next_;
};

class ClusterTest : public ::testing::Test {
 protected:
  explicit ClusterTest(int num_workers = 2) : metrics_(registry_, ExpertRows::kByLayer) {
    auto engine = Engine::Create({.num_workers = num_workers,
                                  .max_num_seqs = 16,
                                  .max_num_batched_tokens = 64,
                                  .max_model_len = Nano().max_model_len},
                                 channel_, &metrics_);
    CHECK_OK(engine.status());
    engine_ = std::move(*engine);
    roster_ = std::make_unique<WorkerRoster>(engine_->worker_events(), registry_);
    events_ = std::make_unique<NanoVocabulary>(*roster_);
    auto server = HttpServer::Listen({});
    CHECK_OK(server.status());
    server_ = std::move(*server);
    api_ = std::make_unique<Api>(ApiParts{Nano(), *engine_, *server_, registry_},
                                 ApiOptions{.pool = {.num_threads = 2}});
    server_->Start(api_->router());
  }
  ~ClusterTest() override {
    server_->Stop(std::chrono::milliseconds(0));
    cluster_.reset();
    engine_.reset();
  }

  void AwaitReady() {
    HttpClient client(server_->port());
    while (client.Get("/ready").status != 200) std::this_thread::yield();
  }

  // The engine counts a request after it has told its end.
  void AwaitMetric(const std::string& line) {
    HttpClient client(server_->port());
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (client.Get("/metrics").body.find(line) == std::string::npos) {
      ASSERT_LT(std::chrono::steady_clock::now(), patience) << line;
      std::this_thread::yield();
    }
  }

  Registry registry_;
  EngineMetrics metrics_;
  FakeChannel channel_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<WorkerRoster> roster_;
  std::unique_ptr<NanoVocabulary> events_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<FakeCluster> cluster_;
};

std::string Body(int i, const std::string& more) {
  return fmt::format(
      R"({{"messages":[{{"role":"user","content":"question {}"}}],"max_tokens":{},
          "chat_template_kwargs":{{"enable_thinking":false}}{}}})",
      i, 20 + i, more);
}

// What the fake workers' tokens spell.
std::string Expected(int i) {
  const auto parsed = ParseChatRequest(Body(i, ""), {.vocab_size = 4096});
  const auto prepared = PrepareChat(Nano(), std::get<ChatRequest>(parsed), 0);
  const Request& request = std::get<PreparedGeneration>(prepared).choices[0].request;
  ResponseStream stream(*Nano().tokenizer, {.stop_ids = request.stop_ids});
  std::string text = stream
                         .Append(FakeAnswer(request.prompt, request.max_new_tokens,
                                            request.stop_ids, kWorker.vocab_size))
                         .content;
  return text + stream.Finish().content;
}

std::string Streamed(const std::string& body) {
  std::string text;
  for (const std::string& event : EventsOf(body)) {
    if (event != "[DONE]") {
      text += Json::parse(event)["choices"][0]["delta"].value("content", "");
    }
  }
  return text;
}

TEST_F(ClusterTest, StreamsTogetherGetTheirOwnAnswers) {
  HttpClient early(server_->port());
  EXPECT_EQ(early.Post(kChat, Body(0, "")).status, 503);
  EXPECT_THAT(early.Get("/ready").body, HasSubstr("waiting for 2 of 2 workers"));
  cluster_ = std::make_unique<FakeCluster>(channel_, *events_, 2, kWorker);
  AwaitReady();
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server_->port()));
    clients.back()->Send(PostText(kChat, Body(i, R"(,"stream":true)")));
  }
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Streamed(clients[i]->Receive().body), Expected(i));
  for (int i = 0; i < 8; ++i) {
    const Json whole = Json::parse(clients[i]->Post(kChat, Body(i, "")).body);
    EXPECT_EQ(whole["choices"][0]["message"]["content"], Expected(i));
    EXPECT_EQ(whole["choices"][0]["finish_reason"], "length");
    EXPECT_EQ(whole["usage"]["completion_tokens"], 20 + i);
  }
  EXPECT_TRUE(cluster_->violations().empty());
  AwaitMetric("atoll_requests_finished_total{finish=\"length\"} 16\n");
}

TEST_F(ClusterTest, WhatCanNeverFitIsRefused) {
  cluster_ = std::make_unique<FakeCluster>(channel_, *events_, 2,
                                           FakeWorkerOptions{.kv_blocks = 2, .vocab_size = 4096});
  AwaitReady();
  HttpClient client(server_->port());
  const ClientResponse answer =
      client.Post(kChat, R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":500})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(Json::parse(answer.body)["error"]["type"], "invalid_request_error");
}

TEST_F(ClusterTest, DrainingRefusesAndSaysSo) {
  cluster_ = std::make_unique<FakeCluster>(channel_, *events_, 2, kWorker);
  AwaitReady();
  EXPECT_TRUE(engine_->Drain(absl::Seconds(5)));
  HttpClient client(server_->port());
  EXPECT_EQ(client.Get("/ready").status, 503);
  EXPECT_EQ(client.Get("/health").status, 200);
  EXPECT_EQ(client.Post(kChat, Body(0, "")).status, 503);
}

// One worker whose steps the test runs.
class OneWorkerTest : public ClusterTest {
 protected:
  OneWorkerTest() : ClusterTest(1), worker_(kWorker) {
    events_->OnHello(kId, FakeHello(0));
    events_->OnReady(kId, FakeReady(channel_.Expect<EpochStart>(kId), kWorker));
    AwaitReady();
  }

  // Obeys plans up to the first that `last` accepts.
  template <typename Last>
  void StepUntil(Last last) {
    while (true) {
      const auto plan = channel_.Expect<StepPlan>(kId);
      const absl::StatusOr<StepResult> result = worker_.Execute(plan);
      ASSERT_OK(result);
      events_->OnResult(kId, *result);
      if (last(plan)) return;
    }
  }

  static constexpr WorkerId kId{0};
  FakeWorker worker_;
};

TEST_F(OneWorkerTest, LeavingFreesTheSequence) {
  HttpClient client(server_->port());
  client.Send(PostText(kChat, R"({"messages":[{"role":"user","content":"hi"}],"stream":true})"));
  int sampled = 0;
  StepUntil([&](const StepPlan& plan) { return !plan.work.empty() && ++sampled == 3; });
  ASSERT_TRUE(client.ReadUntil("assistant"));
  client.CloseNow();
  // The worker hears of it with the next plan that has work; so there is some.
  HttpClient other(server_->port());
  other.Send(PostText(kChat, R"({"messages":[{"role":"user","content":"hi"}]})"));
  StepUntil([](const StepPlan& plan) { return !plan.free.empty(); });
  EXPECT_LE(worker_.num_live(), 1);
}

TEST_F(OneWorkerTest, ALostWorkerEndsEverythingWithAWord) {
  HttpClient begun(server_->port()), whole(server_->port());
  // Long enough not to end while the other request is under way to the engine.
  begun.Send(PostText(kChat, Body(7000, R"(,"stream":true)")));
  StepUntil([](const StepPlan& plan) { return !plan.work.empty() && plan.work[0].sample; });
  ASSERT_TRUE(begun.ReadUntil("assistant"));
  whole.Send(PostText(kChat, Body(2, "")));
  StepUntil([](const StepPlan& plan) { return !plan.start.empty(); });
  events_->OnClosed(kId, Unavailable("the connection closed"));
  const ClientResponse refused = whole.Receive();
  EXPECT_EQ(refused.status, 503);
  const std::string message = Json::parse(refused.body)["error"]["message"];
  EXPECT_THAT(message, HasSubstr("worker 0"));
  ASSERT_TRUE(begun.ReadUntil("data: [DONE]"));
  const ClientResponse ready = HttpClient(server_->port()).Get("/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr("worker 0"));
  EXPECT_EQ(HttpClient(server_->port()).Post(kChat, Body(3, "")).status, 503);
  EXPECT_THAT(HttpClient(server_->port()).Get("/metrics").body,
              HasSubstr("atoll_streams_broken_total 1\n"));
}

}  // namespace
}  // namespace atl::testing
