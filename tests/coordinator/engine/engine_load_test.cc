// The engine under load: full pools, the queue's time limit, where a request's time went.
#include "coordinator/engine/engine.h"
#include "coordinator/engine/request_clock.h"
#include "coordinator/engine/retry_estimate.h"
#include "tests/coordinator/engine/test_sink.h"
#include "tests/support/fake_channel.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

using testing::FakeChannel;
using testing::FakeCluster;
using testing::FakeWorker;
using testing::FakeWorkerOptions;

const MonotonicTime kStart(absl::Seconds(1'000'000));

TEST(RequestClockTest, TimeGoesToTheStateItIsSpentIn) {
  const auto at = [](int64_t s) { return kStart + absl::Seconds(s); };
  RequestClock clock(at(0));
  EXPECT_FALSE(clock.started());
  EXPECT_EQ(clock.At(at(2)).queued, absl::Seconds(2));
  clock.OnStart(at(3));
  EXPECT_TRUE(clock.started());
  clock.OnTokens(at(7));
  clock.OnTokens(at(9));
  clock.OnPreempted(at(10));
  clock.OnTokens(at(11));  // of a step that was in flight
  clock.OnStart(at(20));
  clock.OnTokens(at(25));
  clock.OnPreempted(at(26));
  const RequestTimings timings = clock.At(at(30));
  EXPECT_EQ(timings.queued, absl::Seconds(3));
  EXPECT_EQ(timings.prefill, absl::Seconds(4));
  EXPECT_EQ(timings.decode, absl::Seconds(4));
  EXPECT_EQ(timings.preempted, absl::Seconds(19));
  EXPECT_EQ(timings.preemptions, 2);
}

TEST(RetryEstimateTest, FollowsTheRateAtWhichRequestsEnd) {
  const auto at = [](double s) { return kStart + absl::Seconds(s); };
  RetryEstimate retry;
  EXPECT_EQ(retry.Until(100, at(0)), absl::Seconds(1));
  retry.OnBusy(at(0));
  for (int i = 1; i <= 200; ++i) retry.OnEnd(at(i * 0.5));
  EXPECT_NEAR(absl::ToDoubleSeconds(retry.Until(19, at(100))), 10, 0.5);
  EXPECT_EQ(retry.Until(0, at(100)), absl::Seconds(1));
  EXPECT_EQ(retry.Until(1'000, at(100)), absl::Seconds(60));
  // Nothing ends any more: the longer that lasts, the less is expected.
  EXPECT_GT(retry.Until(19, at(160)), absl::Seconds(15));
  // A new burst is not judged by the hour before it.
  retry.OnBusy(at(4'000));
  EXPECT_EQ(retry.Until(19, at(4'000)), absl::Seconds(1));
  EXPECT_EQ(retry.Until(1, at(4'010)), absl::Seconds(20));
}

class EngineLoadTest : public ::testing::Test {
 protected:
  void Start(EngineOptions options) {
    options.max_model_len = 4096;
    options.clock = &clock_;
    auto engine = Engine::Create(std::move(options), channel_, &observer_);
    ASSERT_OK(engine);
    engine_ = *std::move(engine);
  }
  // A worker whose steps the test runs one by one.
  void JoinByHand(const FakeWorkerOptions& options) {
    worker_.emplace(options);
    engine_->worker_events().OnHello(WorkerId{0}, testing::FakeHello(0));
    const auto start = channel_.Expect<EpochStart>(WorkerId{0});
    engine_->worker_events().OnReady(WorkerId{0}, testing::FakeReady(start, options));
    ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  }
  std::shared_ptr<Transcript> Ask(const Request& request, SeqId* seq = nullptr) {
    auto transcript = std::make_shared<Transcript>();
    const auto id = engine_->Submit(request, std::make_unique<TranscriptSink>(transcript));
    EXPECT_OK(id);
    if (seq != nullptr) *seq = id.value_or(SeqId{});
    return transcript;
  }
  // The next step runs and takes `ms`.
  StepPlan Step(int64_t ms) {
    StepPlan plan = channel_.Expect<StepPlan>(WorkerId{0});
    auto result = worker_->Execute(plan);
    EXPECT_OK(result);
    clock_.Advance(absl::Milliseconds(ms));
    engine_->worker_events().OnResult(WorkerId{0}, *std::move(result));
    EXPECT_TRUE(observer_.WaitForSteps(plan.step));
    return plan;
  }
  static Request MakeRequest(int32_t seed, int32_t prompt_tokens, int32_t max_new_tokens) {
    Request request;
    for (int32_t i = 0; i < prompt_tokens; ++i) {
      request.prompt.push_back(TokenId{(seed * 37 + i * 11) % 1000});
    }
    request.max_new_tokens = max_new_tokens;
    return request;
  }
  static std::vector<TokenId> AnswerTo(const Request& request) {
    return testing::FakeAnswer(request.prompt, request.max_new_tokens, request.stop_ids, 1000);
  }

  testing::FakeClock clock_;
  FakeChannel channel_;
  RecordingObserver observer_;
  std::unique_ptr<Engine> engine_;
  std::optional<FakeWorker> worker_;
};

TEST_F(EngineLoadTest, OptionsWithoutSenseAreRefused) {
  EXPECT_STATUS(Engine::Create({.max_model_len = 1, .step_time_target = absl::ZeroDuration()},
                               channel_, nullptr),
                absl::StatusCode::kInvalidArgument, "step_time_target is 0 us");
  EXPECT_STATUS(Engine::Create({.max_model_len = 1, .queue_timeout = absl::ZeroDuration()},
                               channel_, nullptr),
                absl::StatusCode::kInvalidArgument, "queue_timeout is 0 s");
}

TEST_F(EngineLoadTest, WhoWaitsTooLongIsToldSo) {
  Start({.max_num_seqs = 1,
         .max_num_batched_tokens = 8,
         .steps_in_flight = 1,
         .queue_timeout = absl::Seconds(5)});
  JoinByHand({});
  const auto runs = Ask(MakeRequest(1, 3, 100));
  const auto waits = Ask(MakeRequest(2, 3, 10));
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.waiting == 1; }));
  Step(1'000);
  const auto younger = Ask(MakeRequest(3, 3, 10));
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.waiting == 2; }));
  Step(3'000);
  EXPECT_FALSE(waits->ended());
  Step(1'000);
  const auto end = waits->WaitForEnd();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->reason, FinishReason::kError);
  EXPECT_STATUS(end->status, absl::StatusCode::kUnavailable, "waited 5 s in the queue");
  EXPECT_EQ(end->timings.queued, absl::Seconds(5));
  EXPECT_FALSE(younger->ended());
  EXPECT_FALSE(runs->ended());  // its time in the queue was over long ago
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.waiting == 1; }));
}

TEST_F(EngineLoadTest, TimingsAndPoolsTellOfPreemption) {
  Start({.max_num_seqs = 4, .max_num_batched_tokens = 512, .steps_in_flight = 1});
  JoinByHand({.kv_blocks = 4, .state_slots = 4});
  const Request first = MakeRequest(1, 62, 130);
  const Request second = MakeRequest(2, 60, 130);
  const auto older = Ask(first);
  StepPlan plan = Step(10);  // the older one alone
  const auto younger = Ask(second);
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.waiting == 1; }));
  EXPECT_EQ(Step(10).work.size(), 1u);  // planned before the younger came
  int64_t steps_preempted = 0;
  while (!older->ended() || !younger->ended()) {
    plan = Step(10);
    if (observer_.preempted().size() == 1 && !younger->ended() && !older->ended())
      ++steps_preempted;
  }
  EXPECT_EQ(older->tokens(), AnswerTo(first));
  EXPECT_EQ(younger->tokens(), AnswerTo(second));
  EXPECT_EQ(younger->prompt_chunks(), std::vector<int32_t>{60});  // not told again
  EXPECT_EQ(observer_.preempted(), std::vector<int32_t>{0});
  const auto end = younger->WaitForEnd();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->timings.preemptions, 1);
  EXPECT_EQ(end->timings.queued, absl::Milliseconds(10));
  EXPECT_EQ(end->timings.prefill, absl::Milliseconds(10));
  EXPECT_GE(end->timings.preempted, absl::Milliseconds(10 * steps_preempted));
  EXPECT_EQ(end->timings.decode, absl::Milliseconds(10 * 128));  // all but the first and one more
  EXPECT_EQ(older->WaitForEnd()->timings.preempted, absl::ZeroDuration());
  EXPECT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) {
    const HomeGauges& home = gauges.homes.at(0);
    return home.kv_bytes_total() == 4'000 && home.kv_bytes_free() == 4'000 &&
           home.state_bytes_total() == 25'000 && home.state_bytes_free() == 25'000;
  }));
  bool pool_was_full = false;
  for (const EngineGauges& gauges : observer_.history()) {
    if (!gauges.homes.empty() && gauges.homes[0].kv_bytes_free() == 0) pool_was_full = true;
  }
  EXPECT_TRUE(pool_was_full);
  for (const RequestSummary& summary : observer_.ends()) {
    EXPECT_EQ(summary.timings.preemptions, summary.prompt_tokens == 60 ? 1 : 0);
  }
}

TEST_F(EngineLoadTest, ACancelledSequenceIsFreedThoughNothingElseRuns) {
  Start({.steps_in_flight = 1});
  JoinByHand({});
  SeqId seq{};
  const auto transcript = Ask(MakeRequest(1, 3, 100), &seq);
  Step(1);
  engine_->Cancel(seq);
  ASSERT_TRUE(transcript->WaitForEnd().has_value());
  Step(1);  // planned before the cancellation
  const StepPlan plan = Step(1);
  EXPECT_EQ(plan.free, std::vector<SeqId>{seq});
  EXPECT_TRUE(plan.work.empty());
  EXPECT_EQ(worker_->num_live(), 0);
}

TEST_F(EngineLoadTest, ProbabilitiesOfAPromptAreReportedOnce) {
  Start({.max_num_seqs = 4, .max_num_batched_tokens = 16, .steps_in_flight = 1});
  JoinByHand({.kv_blocks = 3, .state_slots = 4});
  const Request first = MakeRequest(1, 62, 130);
  const auto older = Ask(first);
  while (older->tokens().size() < 64) Step(1);  // it will soon take its third block
  Request second = MakeRequest(2, 62, 2);
  second.top_logprobs = 0;
  second.prompt_logprobs = true;
  const auto younger = Ask(second);
  while (!older->ended() || !younger->ended()) Step(1);
  EXPECT_EQ(younger->tokens(), AnswerTo(second));
  // Of the tokens 1 … 61, in order, whatever was recomputed.
  std::vector<float> expected;
  for (int i = 1; i < 62; ++i) expected.push_back(static_cast<float>(-i));
  EXPECT_EQ(younger->prompt_logprobs(), expected);
  EXPECT_EQ(younger->WaitForEnd()->timings.preemptions, 1);
}

TEST_F(EngineLoadTest, AFullPoolAndSeveralTokensAStepChangeNoText) {
  Start({.max_num_seqs = 16, .max_num_batched_tokens = 64});
  std::vector<Request> requests;
  std::vector<std::shared_ptr<Transcript>> transcripts;
  FakeCluster cluster(channel_, engine_->worker_events(), 2,
                      {.kv_blocks = 8, .state_slots = 8, .late_rows = 3, .tokens_per_step = 3});
  ASSERT_TRUE(observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; }));
  for (int32_t i = 0; i < 24; ++i) {
    requests.push_back(MakeRequest(i, 5 + i * 7, 100 + i));
    transcripts.push_back(Ask(requests.back()));
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    ASSERT_TRUE(transcripts[i]->WaitForEnd().has_value());
    EXPECT_EQ(transcripts[i]->tokens(), AnswerTo(requests[i]));
  }
  EXPECT_GT(observer_.preempted().size(), 0u);
  EXPECT_THAT(cluster.violations(), ::testing::IsEmpty());
}

TEST_F(EngineLoadTest, StepsReportTheirRowsAndPredictedTime) {
  Start({.max_num_seqs = 4,
         .max_num_batched_tokens = 512,
         .steps_in_flight = 1,
         .step_time_target = absl::Milliseconds(50)});
  JoinByHand({});
  const auto transcript = Ask(MakeRequest(1, 400, 10));
  while (!transcript->ended()) {
    const StepPlan plan = Step(20);
    ASSERT_LE(plan.work.size(), 1u);
  }
  const std::vector<StepSummary> steps = observer_.steps();
  EXPECT_GT(steps[0].prefill_rows, 0);
  EXPECT_LT(steps[0].prefill_rows, 400);  // cut by the assumed cost
  int64_t prefill_rows = 0;
  for (const StepSummary& step : steps) {
    EXPECT_EQ(step.planned_rows, step.prefill_rows + step.decode_rows);
    EXPECT_GT(step.predicted, absl::ZeroDuration());
    prefill_rows += step.prefill_rows;
  }
  EXPECT_EQ(prefill_rows, 400);
  EXPECT_LT(absl::AbsDuration(steps.back().predicted - absl::Milliseconds(20)),
            absl::Milliseconds(15));
}

}  // namespace
}  // namespace atl::coordinator
