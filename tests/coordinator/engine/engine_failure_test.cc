// Workers that die, lie or fail.
#include "coordinator/engine/engine.h"

#include "tests/coordinator/engine/test_sink.h"
#include "tests/support/fake_channel.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

using testing::FakeChannel;

// Two workers that the test plays itself.
class EngineFailureTest : public ::testing::Test {
 protected:
  void StartReady() {
    auto engine = Engine::Create({.num_workers = 2,
                                  .max_model_len = 4096,
                                  .peer_loss_grace = absl::Seconds(5),
                                  .step_limit = absl::Seconds(600),
                                  .clock = &clock_},
                                 channel_, &observer_);
    ASSERT_OK(engine);
    engine_ = *std::move(engine);
    for (uint64_t i = 0; i < 2; ++i) {
      events().OnHello(WorkerId{i}, testing::FakeHello(static_cast<int32_t>(i)));
    }
    for (uint64_t i = 0; i < 2; ++i) {
      const auto start = channel_.Expect<EpochStart>(WorkerId{i});
      events().OnReady(WorkerId{i}, testing::FakeReady(start, {}));
      workers_.emplace_back(testing::FakeWorkerOptions{.rank = static_cast<int32_t>(i)});
    }
    ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  }
  // A request at home on worker 0, then one on worker 1.
  std::shared_ptr<Transcript> Ask() {
    auto transcript = std::make_shared<Transcript>();
    Request request;
    request.prompt = {TokenId{1}, TokenId{2}};
    request.max_new_tokens = 50;
    EXPECT_OK(engine_->Submit(request, std::make_unique<TranscriptSink>(transcript)));
    return transcript;
  }
  StepResult Run(uint64_t worker) {
    auto result = workers_[worker].Execute(channel_.Expect<StepPlan>(WorkerId{worker}));
    EXPECT_OK(result);
    return result.ok() ? *std::move(result) : StepResult{};
  }
  // Everything ends with kUnavailable and `reason`, also what is asked later.
  void ExpectLost(const std::vector<std::shared_ptr<Transcript>>& transcripts, const char* reason) {
    for (const auto& transcript : transcripts) {
      const auto end = transcript->WaitForEnd();
      ASSERT_TRUE(end.has_value());
      EXPECT_EQ(end->reason, FinishReason::kError);
      EXPECT_STATUS(end->status, absl::StatusCode::kUnavailable, reason);
    }
    ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return !gauges.ready; }));
    EXPECT_FALSE(engine_->ready_state().ready);
    EXPECT_THAT(engine_->ready_state().reason, ::testing::HasSubstr(reason));
    EXPECT_STATUS(engine_->Submit({.prompt = {TokenId{1}}, .max_new_tokens = 1}, nullptr),
                  absl::StatusCode::kUnavailable, reason);
  }
  template <typename T>
  T SkipPlansTo(uint64_t worker) {
    while (true) {
      std::optional<testing::ToWorker> message = channel_.Next(WorkerId{worker});
      if (!message) {
        ADD_FAILURE() << "nothing came";
        return {};
      }
      if (auto* wanted = std::get_if<T>(&*message)) return std::move(*wanted);
      EXPECT_TRUE(std::holds_alternative<StepPlan>(*message));
    }
  }
  // The engine's clock moves after it has seen all that was said; then it looks at the clock.
  void Advance(int64_t seconds) {
    TurnAwayOne();
    clock_.Advance(absl::Seconds(seconds));
    TurnAwayOne();
  }
  void TurnAwayOne() {
    const WorkerId stranger{++last_stranger_};
    events().OnHello(stranger, testing::FakeHello(9));
    channel_.Expect<testing::Refused>(stranger);
  }
  WorkerEvents& events() { return engine_->worker_events(); }

  testing::FakeClock clock_;
  uint64_t last_stranger_ = 100;
  FakeChannel channel_;
  RecordingObserver observer_;
  std::unique_ptr<Engine> engine_;
  std::vector<testing::FakeWorker> workers_;
};

TEST_F(EngineFailureTest, ALostWorkerEndsTheEpochByName) {
  StartReady();
  const auto first = Ask();
  const auto second = Ask();
  events().OnResult(WorkerId{0}, Run(0));
  EXPECT_TRUE(first->WaitForTokens(1));
  events().OnClosed(WorkerId{1}, Unavailable("the connection closed"));
  ExpectLost({first, second}, "lost worker 1 (node-1, pid 1001): the connection closed");
  EXPECT_THAT(SkipPlansTo<testing::EpochEnded>(0).reason, ::testing::HasSubstr("lost worker 1"));
  EXPECT_EQ(observer_.lost(), std::vector<int32_t>{1});
  // Who comes now is turned away and may come again.
  events().OnHello(WorkerId{9}, testing::FakeHello(9));
  EXPECT_STATUS(channel_.Expect<testing::Refused>(WorkerId{9}).why, absl::StatusCode::kUnavailable,
                "lost worker 1");
  // The survivor is told to shut down in the end.
  engine_->Drain(absl::ZeroDuration());
  channel_.Expect<testing::ShutdownSent>(WorkerId{0});
}

TEST_F(EngineFailureTest, AWorkerTooManyIsTurnedAway) {
  StartReady();
  events().OnHello(WorkerId{2}, testing::FakeHello(2));
  EXPECT_STATUS(channel_.Expect<testing::Refused>(WorkerId{2}).why, absl::StatusCode::kUnavailable,
                "complete with 2 workers");
  events().OnClosed(WorkerId{2}, Unavailable("refused"));
  EXPECT_TRUE(engine_->ready_state().ready);
}

TEST_F(EngineFailureTest, AWorkerThatCannotMeetItsPeersIsNamed) {
  auto engine = Engine::Create({.num_workers = 1, .max_model_len = 64}, channel_, &observer_);
  ASSERT_OK(engine);
  engine_ = *std::move(engine);
  events().OnHello(WorkerId{0}, testing::FakeHello(0));
  channel_.Expect<EpochStart>(WorkerId{0});
  events().OnReady(WorkerId{0}, Unavailable("no route to rank 1"));
  channel_.Expect<testing::Refused>(WorkerId{0});
  EXPECT_EQ(engine_->ready_state().reason, "lost worker 0 (node-0, pid 1000): no route to rank 1");
}

struct Lie {
  const char* name;
  const char* reason;
  void (*tell)(StepResult& result);
};

class EngineLieTest : public EngineFailureTest, public ::testing::WithParamInterface<Lie> {};

TEST_P(EngineLieTest, EndsTheEpoch) {
  StartReady();
  const auto transcript = Ask();
  StepResult result = Run(0);
  GetParam().tell(result);
  events().OnResult(WorkerId{0}, std::move(result));
  ExpectLost({transcript}, GetParam().reason);
  SkipPlansTo<testing::Refused>(0);
  SkipPlansTo<testing::EpochEnded>(1);
}

INSTANTIATE_TEST_SUITE_P(
    Lies, EngineLieTest,
    ::testing::Values(Lie{"Step", "it reports step 7", [](StepResult& result) { result.step = 7; }},
                      Lie{"Rank", "it reports as rank 1",
                          [](StepResult& result) { result.rank = 1; }},
                      Lie{"Token", "it sampled token 1000",
                          [](StepResult& result) { result.sequences.at(0).ids = {TokenId{1000}}; }},
                      Lie{"Length", "reports sequence 1 with 99 tokens",
                          [](StepResult& result) { result.sequences.at(0).length = 99; }},
                      Lie{"Failure", "step 1 failed: out of memory",
                          [](StepResult& result) { result.status = Internal("out of memory"); }}),
    [](const auto& info) { return info.param.name; });

TEST_F(EngineFailureTest, AResultSaidTwiceEndsTheEpoch) {
  StartReady();
  const auto transcript = Ask();
  const StepResult result = Run(0);
  events().OnResult(WorkerId{0}, result);
  events().OnResult(WorkerId{0}, result);
  ExpectLost({transcript}, "it reports step 1, which is not its next");
}

TEST_F(EngineFailureTest, WhoReportsALostPeerIsNotCalledLost) {
  StartReady();
  const auto transcript = Ask();
  StepResult result = Run(0);
  result.status = Unavailable("peer 1 is gone");
  events().OnResult(WorkerId{0}, result);
  events().OnClosed(WorkerId{1}, Unavailable("the connection closed"));
  ExpectLost({transcript}, "lost worker 1 (node-1, pid 1001): the connection closed");
}

TEST_F(EngineFailureTest, ASilentPeerIsLostThoughItsStreamIsOpen) {
  StartReady();
  const auto transcript = Ask();
  StepResult result = Run(0);
  result.status = DeadlineExceeded("nothing came from peer 1");
  events().OnResult(WorkerId{0}, result);
  Advance(4);
  EXPECT_TRUE(engine_->ready_state().ready);
  Advance(1);
  ExpectLost({transcript},
             "lost worker 1 (node-1, pid 1001): it has not reported its step for 5.0 s");
}

TEST_F(EngineFailureTest, WhereNobodyIsSilentTheFirstReporterIsLost) {
  StartReady();
  const auto transcript = Ask();
  for (uint64_t i = 0; i < 2; ++i) {
    StepResult result = Run(i);
    result.status = Unavailable("peer {} is gone", 1 - i);
    events().OnResult(WorkerId{i}, result);
  }
  Advance(5);
  ExpectLost({transcript}, "lost worker 0 (node-0, pid 1000): step 1 failed: peer 1 is gone");
}

TEST_F(EngineFailureTest, AWorkerThatHangsIsLostAfterTheStepLimit) {
  StartReady();
  const auto transcript = Ask();
  events().OnResult(WorkerId{0}, Run(0));
  Advance(599);
  EXPECT_TRUE(engine_->ready_state().ready);
  Advance(1);
  ExpectLost({transcript},
             "lost worker 1 (node-1, pid 1001): it has not reported its step for 600.0 s");
}

TEST_F(EngineFailureTest, ASequenceThatFailsLeavesTheOthers) {
  StartReady();
  const auto first = Ask();
  const auto second = Ask();
  // The two may share the first step or not.
  while (!first->ended() || second->tokens().empty()) {
    StepResult result = Run(0);
    for (SequenceResult& sequence : result.sequences) {
      if (sequence.seq != SeqId{1}) continue;
      sequence.ids = {};
      sequence.finish = FinishReason::kError;
    }
    events().OnResult(WorkerId{0}, result);
    events().OnResult(WorkerId{1}, Run(1));
  }
  const auto end = first->WaitForEnd();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->reason, FinishReason::kError);
  EXPECT_STATUS(end->status, absl::StatusCode::kInternal, "worker 0 could not compute");
  EXPECT_FALSE(second->ended());
  EXPECT_TRUE(engine_->ready_state().ready);
}

}  // namespace
}  // namespace atl::coordinator
