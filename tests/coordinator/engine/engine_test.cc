#include "coordinator/engine/engine.h"

#include <algorithm>
#include <thread>

#include "tests/coordinator/engine/test_sink.h"
#include "tests/support/fake_channel.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

using testing::FakeChannel;
using testing::FakeCluster;

Request MakeRequest(int32_t seed, int32_t prompt_tokens, int32_t max_new_tokens) {
  Request request;
  for (int32_t i = 0; i < prompt_tokens; ++i) {
    request.prompt.push_back(TokenId{(seed * 37 + i * 11) % 1000});
  }
  request.max_new_tokens = max_new_tokens;
  return request;
}

std::vector<TokenId> AnswerTo(const Request& request) {
  return testing::FakeAnswer(request.prompt, request.max_new_tokens, request.stop_ids, 1000);
}

class EngineTest : public ::testing::Test {
 protected:
  void Start(int32_t num_workers, EngineOptions options = {}) {
    options.num_workers = num_workers;
    if (options.max_model_len == 0) options.max_model_len = 4096;
    auto engine = Engine::Create(std::move(options), channel_, &observer_);
    ASSERT_OK(engine);
    engine_ = *std::move(engine);
  }
  void Join(int32_t num_workers, testing::FakeWorkerOptions options = {}) {
    cluster_.emplace(channel_, engine_->worker_events(), num_workers, options);
    ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  }
  std::shared_ptr<Transcript> Ask(Request request, SeqId* seq = nullptr) {
    auto transcript = std::make_shared<Transcript>();
    const auto id =
        engine_->Submit(std::move(request), std::make_unique<TranscriptSink>(transcript));
    EXPECT_OK(id);
    if (seq != nullptr) *seq = id.value_or(SeqId{});
    return transcript;
  }
  void TearDown() override {
    if (cluster_) {
      EXPECT_THAT(cluster_->violations(), ::testing::IsEmpty());
    }
    cluster_.reset();
    engine_.reset();
  }

  FakeChannel channel_;
  RecordingObserver observer_;
  std::unique_ptr<Engine> engine_;
  std::optional<FakeCluster> cluster_;
};

TEST_F(EngineTest, ContradictingOptionsAreRefused) {
  const auto refused = [&](EngineOptions options, const char* complaint) {
    EXPECT_STATUS(Engine::Create(std::move(options), channel_, nullptr),
                  absl::StatusCode::kInvalidArgument, complaint);
  };
  refused({.max_model_len = 0}, "max_model_len is 0");
  refused({.num_workers = 0, .max_model_len = 1}, "num_workers is 0");
  refused({.max_queue = 0, .max_model_len = 1}, "max_queue is 0");
  refused({.max_num_seqs = 20, .max_num_batched_tokens = 10, .max_model_len = 1},
          "raise the first or lower the second");
}

TEST_F(EngineTest, IsNotReadyUntilAllWorkersAre) {
  Start(2);
  EXPECT_FALSE(engine_->ready_state().ready);
  EXPECT_EQ(engine_->ready_state().reason, "waiting for 2 of 2 workers");
  engine_->worker_events().OnHello(WorkerId{0}, testing::FakeHello(0, 6));
  ASSERT_TRUE(
      observer_.WaitFor([](const EngineGauges& gauges) { return gauges.workers_joined == 1; }));
  EXPECT_STATUS(engine_->Submit(MakeRequest(1, 3, 3), nullptr), absl::StatusCode::kUnavailable,
                "waiting for 1 of 2 workers");
  engine_->worker_events().OnHello(WorkerId{1}, testing::FakeHello(1));
  const auto first = channel_.Expect<EpochStart>(WorkerId{0});
  const auto second = channel_.Expect<EpochStart>(WorkerId{1});
  EXPECT_EQ(first.epoch, (Epoch{7, 1}));
  EXPECT_EQ(first.rank, 0);
  EXPECT_EQ(second.rank, 1);
  EXPECT_EQ(second.transport_addresses, (std::vector<std::string>{"address 0", "address 1"}));
  EXPECT_EQ(second.expert_owner, (std::vector<std::vector<int32_t>>(2, {0, 0, 0, 1, 1})));
  engine_->worker_events().OnReady(WorkerId{0}, testing::FakeReady(first, {}));
  EXPECT_FALSE(engine_->ready_state().ready);
  engine_->worker_events().OnReady(WorkerId{1}, testing::FakeReady(second, {}));
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  EXPECT_TRUE(engine_->ready_state().ready);
  EXPECT_EQ(engine_->limits().tokens_max, 64 * 64);
  EXPECT_EQ(engine_->limits().vocab_size, 1000);
}

TEST_F(EngineTest, ManyClientsOfManyThreadsGetTheirOwnAnswers) {
  Start(2, {.max_num_seqs = 8, .max_num_batched_tokens = 32});
  Join(2);
  std::vector<std::thread> clients;
  for (int32_t thread = 0; thread < 4; ++thread) {
    clients.emplace_back([this, thread] {
      for (int32_t i = 0; i < 25; ++i) {
        Request request = MakeRequest(thread * 100 + i, 1 + (i * 13) % 90, 1 + i % 17);
        if (i % 3 == 0) request.stop_ids = {TokenId{thread}, AnswerTo(request).back()};
        const auto transcript = Ask(request);
        const auto end = transcript->WaitForEnd();
        ASSERT_TRUE(end.has_value());
        EXPECT_OK(end->status);
        EXPECT_EQ(end->reason, i % 3 == 0 ? FinishReason::kStop : FinishReason::kLength);
        EXPECT_EQ(transcript->tokens(), AnswerTo(request));
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(observer_.ends().size(), 100u);
  ASSERT_EQ(observer_.rows_by_rank().size(), 2u);
  EXPECT_GT(observer_.rows_by_rank()[0], 0u);
  EXPECT_GT(observer_.rows_by_rank()[1], 0u);
}

TEST_F(EngineTest, EightStreamsShareTheirStepsAndSpreadOverHomes) {
  Start(2);
  // All eight are asked before the first plan runs, so that the numbers do not depend on speed.
  engine_->worker_events().OnHello(WorkerId{0}, testing::FakeHello(0));
  engine_->worker_events().OnHello(WorkerId{1}, testing::FakeHello(1));
  for (uint64_t i = 0; i < 2; ++i) {
    const auto start = channel_.Expect<EpochStart>(WorkerId{i});
    engine_->worker_events().OnReady(WorkerId{i}, testing::FakeReady(start, {}));
  }
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  std::vector<std::shared_ptr<Transcript>> transcripts;
  for (int32_t i = 0; i < 8; ++i) transcripts.push_back(Ask(MakeRequest(i, 5 + i * 9, 60)));
  std::vector<testing::FakeWorker> workers;
  for (int32_t rank = 0; rank < 2; ++rank)
    workers.emplace_back(testing::FakeWorkerOptions{.rank = rank});
  const auto all_ended = [&] {
    return std::all_of(transcripts.begin(), transcripts.end(),
                       [](const auto& transcript) { return transcript->ended(); });
  };
  for (size_t step = 1; !all_ended(); ++step) {
    for (uint64_t rank = 0; rank < 2; ++rank) {
      auto result = workers[rank].Execute(channel_.Expect<StepPlan>(WorkerId{rank}));
      ASSERT_OK(result);
      engine_->worker_events().OnResult(WorkerId{rank}, *std::move(result));
    }
    ASSERT_TRUE(observer_.WaitForSteps(step));
  }
  int64_t rows = 0;
  int64_t steps = 0;
  for (const StepSummary& step : observer_.steps()) {
    EXPECT_LE(step.rows, step.planned_rows);
    if (step.kind != StepKind::kDecode || step.rows == 0) continue;
    rows += step.rows;
    ++steps;
  }
  EXPECT_GE(rows, 6 * steps);
  EXPECT_GT(steps, 50);
  bool four_and_four = false;
  for (const EngineGauges& gauges : observer_.history()) {
    if (gauges.running != 8) continue;
    four_and_four = true;
    EXPECT_EQ(gauges.homes.at(0).running, 4);
    EXPECT_EQ(gauges.homes.at(1).running, 4);
  }
  EXPECT_TRUE(four_and_four);
}

TEST_F(EngineTest, TwoStepsAreInFlightAndNoMore) {
  Start(1);
  engine_->worker_events().OnHello(WorkerId{0}, testing::FakeHello(0));
  const auto start = channel_.Expect<EpochStart>(WorkerId{0});
  engine_->worker_events().OnReady(WorkerId{0}, testing::FakeReady(start, {}));
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  const auto transcript = Ask(MakeRequest(1, 3, 10));
  testing::FakeWorker worker({});
  const auto first = channel_.Expect<StepPlan>(WorkerId{0});
  const auto second = channel_.Expect<StepPlan>(WorkerId{0});
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.running == 1; }));
  EXPECT_EQ(channel_.num_waiting(WorkerId{0}), 0u);
  EXPECT_EQ(second.work.at(0).begin, 3);
  EXPECT_TRUE(second.work.at(0).ids.empty());
  engine_->worker_events().OnResult(WorkerId{0}, *worker.Execute(first));
  EXPECT_EQ(channel_.Expect<StepPlan>(WorkerId{0}).step, 3u);
  EXPECT_TRUE(transcript->WaitForTokens(1));
}

TEST_F(EngineTest, ASecondRequestBeginsWhileTheFirstStreams) {
  Start(1, {.max_num_seqs = 4, .max_num_batched_tokens = 16});
  Join(1);
  const auto first = Ask(MakeRequest(1, 10, 3000));
  ASSERT_TRUE(first->WaitForTokens(3));
  const auto second = Ask(MakeRequest(2, 100, 5));
  ASSERT_TRUE(second->WaitForTokens(1));
  EXPECT_FALSE(first->ended());
  EXPECT_TRUE(second->WaitForEnd().has_value());
  EXPECT_FALSE(first->ended());
  bool mixed = false;
  for (const StepSummary& step : observer_.steps()) mixed = mixed || step.kind == StepKind::kMixed;
  EXPECT_TRUE(mixed);
}

TEST_F(EngineTest, WhatCanNeverFitIsRefusedAtSubmit) {
  Start(2, {.max_model_len = 2000});
  Join(2, {.kv_blocks = 10});
  EXPECT_EQ(engine_->limits().tokens_max, 640);
  EXPECT_STATUS(engine_->Submit(MakeRequest(1, 600, 41), nullptr),
                absl::StatusCode::kInvalidArgument, "the cache of one worker holds 640 tokens");
  EXPECT_STATUS(engine_->Submit(MakeRequest(1, 1000, 1001), nullptr),
                absl::StatusCode::kInvalidArgument, "maximum context length is 2000 tokens");
  Request request = MakeRequest(1, 3, 3);
  request.prompt[1] = TokenId{1000};
  EXPECT_STATUS(engine_->Submit(request, nullptr), absl::StatusCode::kInvalidArgument,
                "token id 1000 at position 1");
  EXPECT_EQ(Ask(MakeRequest(1, 600, 40))->WaitForEnd()->reason, FinishReason::kLength);
}

TEST_F(EngineTest, AFullQueueIsBackPressure) {
  Start(1, {.max_num_seqs = 1, .max_num_batched_tokens = 8, .max_queue = 2});
  engine_->worker_events().OnHello(WorkerId{0}, testing::FakeHello(0));
  const auto start = channel_.Expect<EpochStart>(WorkerId{0});
  engine_->worker_events().OnReady(WorkerId{0}, testing::FakeReady(start, {}));
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  Ask(MakeRequest(1, 3, 10));
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.running == 1; }));
  SeqId second{};
  Ask(MakeRequest(2, 3, 10), &second);
  Ask(MakeRequest(3, 3, 10));
  EXPECT_STATUS(engine_->Submit(MakeRequest(4, 3, 10), nullptr),
                absl::StatusCode::kResourceExhausted, "2 requests are waiting");
  engine_->Cancel(second);
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.waiting == 1; }));
  Ask(MakeRequest(4, 3, 10));
}

TEST_F(EngineTest, CancelFreesTheSequence) {
  Start(1);
  Join(1);
  SeqId seq{};
  const auto transcript = Ask(MakeRequest(1, 100, 3000), &seq);
  ASSERT_TRUE(transcript->WaitForTokens(2));
  engine_->Cancel(seq);
  engine_->Cancel(seq);
  engine_->Cancel(SeqId{999});
  const auto end = transcript->WaitForEnd();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->reason, FinishReason::kCancelled);
  EXPECT_OK(end->status);
  EXPECT_LT(transcript->tokens().size(), 3000u);
  EXPECT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) {
    return gauges.running == 0 && gauges.homes.at(0).blocks_free == 64 &&
           gauges.homes.at(0).slots_free == 8;
  }));
  const Request next = MakeRequest(2, 100, 20);
  const auto answer = Ask(next);
  ASSERT_TRUE(answer->WaitForEnd().has_value());
  EXPECT_EQ(answer->tokens(), AnswerTo(next));
}

TEST_F(EngineTest, ProbesComeForEveryRow) {
  Start(1, {.max_num_seqs = 4, .max_num_batched_tokens = 16});
  Join(1);
  Request request = MakeRequest(1, 40, 3);
  request.probe = Probe::kLogits;
  const auto transcript = Ask(request);
  ASSERT_TRUE(transcript->WaitForEnd().has_value());
  std::vector<bool> seen(42);
  for (const ProbeResult& probe : transcript->probes()) {
    EXPECT_EQ(probe.logits.size(), static_cast<size_t>(probe.num_rows) * 1000);
    for (int32_t i = 0; i < probe.num_rows; ++i)
      seen.at(static_cast<size_t>(probe.begin + i)) = true;
  }
  EXPECT_THAT(seen, ::testing::Each(true));
}

TEST_F(EngineTest, ASeedIsDrawnWhereTheClientGaveNone) {
  Start(1, {.make_seed = [] { return uint64_t{4711}; }});
  engine_->worker_events().OnHello(WorkerId{0}, testing::FakeHello(0));
  const auto start = channel_.Expect<EpochStart>(WorkerId{0});
  engine_->worker_events().OnReady(WorkerId{0}, testing::FakeReady(start, {}));
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  Ask(MakeRequest(1, 3, 1));
  EXPECT_EQ(channel_.Expect<StepPlan>(WorkerId{0}).start.at(0).sampling.seed, 4711u);
  Request request = MakeRequest(1, 3, 1);
  request.seed = 5;
  Ask(request);
  EXPECT_EQ(channel_.Expect<StepPlan>(WorkerId{0}).start.at(0).sampling.seed, 5u);
}

TEST_F(EngineTest, DrainLetsRunningRequestsFinish) {
  Start(2);
  Join(2);
  std::vector<std::shared_ptr<Transcript>> transcripts;
  for (int32_t i = 0; i < 12; ++i) transcripts.push_back(Ask(MakeRequest(i, 20, 200)));
  EXPECT_TRUE(engine_->Drain(absl::Seconds(20)));
  for (const auto& transcript : transcripts) {
    const auto end = transcript->WaitForEnd();
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->reason, FinishReason::kLength);
    EXPECT_EQ(transcript->tokens().size(), 200u);
  }
  EXPECT_FALSE(engine_->ready_state().ready);
  EXPECT_STATUS(engine_->Submit(MakeRequest(1, 3, 3), nullptr), absl::StatusCode::kUnavailable,
                "shutting down");
}

TEST_F(EngineTest, DrainFailsWhatIsLeftAndShutsTheWorkersDown) {
  Start(1);
  engine_->worker_events().OnHello(WorkerId{0}, testing::FakeHello(0));
  const auto start = channel_.Expect<EpochStart>(WorkerId{0});
  engine_->worker_events().OnReady(WorkerId{0}, testing::FakeReady(start, {}));
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  const auto transcript = Ask(MakeRequest(1, 3, 1));
  EXPECT_FALSE(engine_->Drain(absl::Milliseconds(1)));
  const auto end = transcript->WaitForEnd();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->reason, FinishReason::kError);
  EXPECT_STATUS(end->status, absl::StatusCode::kUnavailable, "shutting down");
  while (true) {
    const auto message = channel_.Next(WorkerId{0});
    ASSERT_TRUE(message.has_value());
    if (std::holds_alternative<testing::ShutdownSent>(*message)) break;
    EXPECT_TRUE(std::holds_alternative<StepPlan>(*message));
  }
}

}  // namespace
}  // namespace atl::coordinator
