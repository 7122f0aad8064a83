// The engine measures in monotonic time: the wall clock may be set while it runs.
#include "tests/support/wall_clock.h"
#include "coordinator/engine/engine.h"
#include "tests/coordinator/engine/test_sink.h"
#include "tests/support/fake_channel.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

using testing::FakeChannel;
using testing::FakeWorker;
using testing::SetWallClockOffset;

constexpr WorkerId kWorker{0};
constexpr absl::Duration kJump = absl::Minutes(10);

class WallClockTest : public ::testing::TestWithParam<absl::Duration> {
 protected:
  void SetUp() override {
    // All limits are shorter than the jump and longer than the test.
    auto engine = Engine::Create({.max_num_seqs = 1,
                                  .max_num_batched_tokens = 8,
                                  .max_model_len = 4096,
                                  .steps_in_flight = 1,
                                  .queue_timeout = absl::Minutes(1),
                                  .peer_loss_grace = absl::Minutes(1),
                                  .step_limit = absl::Minutes(1)},
                                 channel_, &observer_);
    ASSERT_OK(engine);
    engine_ = *std::move(engine);
    engine_->worker_events().OnHello(kWorker, testing::FakeHello(0));
    const auto start = channel_.Expect<EpochStart>(kWorker);
    engine_->worker_events().OnReady(kWorker, testing::FakeReady(start, {}));
    ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  }
  void TearDown() override { SetWallClockOffset(absl::ZeroDuration()); }

  std::shared_ptr<Transcript> Ask() {
    auto transcript = std::make_shared<Transcript>();
    EXPECT_OK(engine_->Submit({.prompt = {TokenId{1}, TokenId{2}}, .max_new_tokens = 2},
                              std::make_unique<TranscriptSink>(transcript)));
    return transcript;
  }
  void RunStep() {
    auto result = worker_.Execute(channel_.Expect<StepPlan>(kWorker));
    ASSERT_OK(result);
    engine_->worker_events().OnResult(kWorker, *std::move(result));
  }
  // The engine has looked at its clock once more when the second is turned away.
  void LetItLook() {
    for (const WorkerId stranger : {WorkerId{8}, WorkerId{9}}) {
      engine_->worker_events().OnHello(stranger, testing::FakeHello(9));
      channel_.Expect<testing::Refused>(stranger);
    }
  }

  FakeChannel channel_;
  RecordingObserver observer_;
  std::unique_ptr<Engine> engine_;
  FakeWorker worker_{testing::FakeWorkerOptions{}};
};

TEST_P(WallClockTest, AJumpLosesNobody) {
  const auto runs = Ask();
  const auto waits = Ask();
  ASSERT_TRUE(observer_.WaitFor(
      [](const EngineGauges& gauges) { return gauges.running == 1 && gauges.waiting == 1; }));
  const absl::Time before = absl::Now();
  SetWallClockOffset(GetParam());
  ASSERT_GT(absl::AbsDuration(absl::Now() - before), kJump / 2) << "the wall clock did not move";
  LetItLook();
  EXPECT_TRUE(engine_->ready_state().ready) << engine_->ready_state().reason;
  EXPECT_FALSE(waits->ended());
  for (int step = 0; step < 4; ++step) ASSERT_NO_FATAL_FAILURE(RunStep());
  for (const auto& transcript : {runs, waits}) {
    const auto end = transcript->WaitForEnd();
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->reason, FinishReason::kLength) << end->status;
    const RequestTimings& timings = end->timings;
    const absl::Duration life = timings.queued + timings.prefill + timings.decode;
    EXPECT_GE(life, absl::ZeroDuration());
    EXPECT_LT(life, absl::Minutes(1));
  }
  EXPECT_EQ(observer_.lost(), std::vector<int32_t>{});
}

INSTANTIATE_TEST_SUITE_P(Jumps, WallClockTest, ::testing::Values(kJump, -kJump),
                         [](const auto& info) {
                           return info.param > absl::ZeroDuration() ? "Forwards" : "Backwards";
                         });

}  // namespace
}  // namespace atl::coordinator
