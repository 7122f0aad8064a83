// Engine, WorkerLink and CoordinatorClient over real gRPC on a free port.
#include "coordinator/worker_link/worker_link.h"

#include "coordinator/engine/engine.h"
#include "tests/coordinator/engine/test_sink.h"
#include "tests/support/fake_channel.h"
#include "tests/support/remote_fake_worker.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {
namespace {

using testing::RemoteFakeWorker;

class Coordinator {
 public:
  explicit Coordinator(int32_t num_workers, const std::string& address = "127.0.0.1:0")
      : link_(WorkerLink::Create({.address = address})) {
    auto engine =
        Engine::Create({.num_workers = num_workers, .max_model_len = 4096}, *link_, &observer_);
    EXPECT_OK(engine);
    engine_ = *std::move(engine);
    const auto port = link_->Start(engine_->worker_events());
    EXPECT_OK(port);
    address_ = fmt::format("127.0.0.1:{}", port.value_or(0));
  }
  ~Coordinator() {
    if (engine_ == nullptr) return;
    link_->Stop(absl::ZeroDuration());
    engine_.reset();
  }
  bool WaitUntilReady() {
    return observer_.WaitFor([](const EngineGauges& gauges) { return gauges.ready; });
  }
  std::shared_ptr<Transcript> Ask(const Request& request) {
    auto transcript = std::make_shared<Transcript>();
    EXPECT_OK(engine_->Submit(request, std::make_unique<TranscriptSink>(transcript)));
    return transcript;
  }
  const std::string& address() const { return address_; }
  Engine& engine() { return *engine_; }
  WorkerLink& link() { return *link_; }
  RecordingObserver& observer() { return observer_; }

 private:
  RecordingObserver observer_;
  std::unique_ptr<WorkerLink> link_;
  std::unique_ptr<Engine> engine_;
  std::string address_;
};

Request MakeRequest(int32_t first, int32_t prompt_tokens, int32_t max_new_tokens) {
  Request request;
  for (int32_t i = 0; i < prompt_tokens; ++i) request.prompt.push_back(TokenId{first + i});
  request.max_new_tokens = max_new_tokens;
  return request;
}

TEST(WorkerLinkTest, TwoWorkersServeAndShutDown) {
  Coordinator coordinator(2);
  RemoteFakeWorker first(coordinator.address(), testing::FakeHello(0));
  RemoteFakeWorker second(coordinator.address(), testing::FakeHello(1));
  ASSERT_TRUE(coordinator.WaitUntilReady());
  std::vector<Request> requests;
  std::vector<std::shared_ptr<Transcript>> transcripts;
  for (int32_t i = 0; i < 20; ++i) {
    requests.push_back(MakeRequest(i, 1 + i * 7, 1 + i));
    transcripts.push_back(coordinator.Ask(requests.back()));
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto end = transcripts[i]->WaitForEnd();
    ASSERT_TRUE(end.has_value());
    EXPECT_OK(end->status);
    EXPECT_EQ(transcripts[i]->tokens(),
              testing::FakeAnswer(requests[i].prompt, requests[i].max_new_tokens, {}, 1000));
  }
  EXPECT_THAT(coordinator.observer().rows_by_rank(), ::testing::Each(::testing::Gt(0u)));
  EXPECT_TRUE(coordinator.engine().Drain(absl::Seconds(10)));
  EXPECT_TRUE(first.WaitFor([](const auto& seen) { return seen.shutdown; }));
  EXPECT_TRUE(second.WaitFor([](const auto& seen) { return seen.shutdown; }));
  EXPECT_THAT(first.seen().violations, ::testing::IsEmpty());
  EXPECT_THAT(second.seen().violations, ::testing::IsEmpty());
}

TEST(WorkerLinkTest, AClosedStreamIsADeadWorker) {
  Coordinator coordinator(2);
  RemoteFakeWorker first(coordinator.address(), testing::FakeHello(0));
  auto second = std::make_unique<RemoteFakeWorker>(coordinator.address(), testing::FakeHello(1));
  ASSERT_TRUE(coordinator.WaitUntilReady());
  const auto transcript = coordinator.Ask(MakeRequest(1, 3, 3000));
  ASSERT_TRUE(transcript->WaitForTokens(5));
  second.reset();
  const auto end = transcript->WaitForEnd();
  ASSERT_TRUE(end.has_value());
  EXPECT_STATUS(end->status, absl::StatusCode::kUnavailable, "node-1, pid 1001");
  EXPECT_THAT(coordinator.engine().ready_state().reason,
              ::testing::HasSubstr("node-1, pid 1001): its connection to the coordinator closed"));
  EXPECT_TRUE(first.WaitFor([](const auto& seen) { return !seen.epoch_end.empty(); }));
  EXPECT_THAT(first.seen().epoch_end, ::testing::HasSubstr("node-1"));
}

TEST(WorkerLinkTest, AnotherModelIsRefusedForGood) {
  Coordinator coordinator(2);
  RemoteFakeWorker first(coordinator.address(), testing::FakeHello(0));
  ASSERT_TRUE(coordinator.observer().WaitFor(
      [](const EngineGauges& gauges) { return gauges.workers_joined == 1; }));
  WorkerHello hello = testing::FakeHello(1);
  hello.model_digest = "other";
  RemoteFakeWorker second(coordinator.address(), hello);
  ASSERT_TRUE(second.WaitFor([](const auto& seen) { return !seen.refused.ok(); }));
  EXPECT_STATUS(second.seen().refused, absl::StatusCode::kFailedPrecondition,
                "give every worker the same --model");
  EXPECT_EQ(second.seen().disconnects, 0);
  RemoteFakeWorker third(coordinator.address(), testing::FakeHello(2));
  EXPECT_TRUE(coordinator.WaitUntilReady());
}

TEST(WorkerLinkTest, AMalformedHelloIsRefused) {
  Coordinator coordinator(1);
  WorkerHello hello = testing::FakeHello(0);
  hello.num_layers = 0;
  RemoteFakeWorker worker(coordinator.address(), hello);
  ASSERT_TRUE(worker.WaitFor([](const auto& seen) { return !seen.refused.ok(); }));
  EXPECT_STATUS(worker.seen().refused, absl::StatusCode::kInvalidArgument, "num_layers is 0");
}

TEST(WorkerLinkTest, AWorkerRedialsANewCoordinator) {
  auto coordinator = std::make_unique<Coordinator>(1);
  const std::string address = coordinator->address();
  RemoteFakeWorker worker(address, testing::FakeHello(0));
  ASSERT_TRUE(coordinator->WaitUntilReady());
  coordinator.reset();
  ASSERT_TRUE(worker.WaitFor([](const auto& seen) { return seen.disconnects == 1; }));
  coordinator = std::make_unique<Coordinator>(1, address);
  ASSERT_EQ(coordinator->address(), address);
  ASSERT_TRUE(coordinator->WaitUntilReady());
  EXPECT_EQ(worker.seen().epochs, 2);
  const Request request = MakeRequest(3, 100, 10);
  const auto transcript = coordinator->Ask(request);
  ASSERT_TRUE(transcript->WaitForEnd().has_value());
  EXPECT_EQ(transcript->tokens(), testing::FakeAnswer(request.prompt, 10, {}, 1000));
}

TEST(WorkerLinkTest, AWorkerMayComeBeforeTheCoordinator) {
  std::string address;
  {
    Coordinator coordinator(1);
    address = coordinator.address();
  }
  RemoteFakeWorker worker(address, testing::FakeHello(0));
  Coordinator coordinator(1, address);
  EXPECT_TRUE(coordinator.WaitUntilReady());
}

TEST(WorkerLinkTest, APortInUseIsAnError) {
  Coordinator coordinator(1);
  const std::unique_ptr<WorkerLink> link = WorkerLink::Create({.address = coordinator.address()});
  EXPECT_STATUS(link->Start(coordinator.engine().worker_events()), absl::StatusCode::kUnavailable,
                "cannot listen for workers on 127.0.0.1");
}

TEST(WorkerLinkTest, MegabytesOfProbedLogitsTravel) {
  Coordinator coordinator(1);
  RemoteFakeWorker worker(coordinator.address(), testing::FakeHello(0));
  ASSERT_TRUE(coordinator.WaitUntilReady());
  Request request = MakeRequest(1, 500, 3);
  request.probe = Probe::kLogits;
  const auto transcript = coordinator.Ask(request);
  ASSERT_TRUE(transcript->WaitForEnd().has_value());
  size_t floats = 0;
  for (const ProbeResult& probe : transcript->probes()) floats += probe.logits.size();
  EXPECT_EQ(floats, 502u * 1000u);
}

}  // namespace
}  // namespace atl::coordinator
