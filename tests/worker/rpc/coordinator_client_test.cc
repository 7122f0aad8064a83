#include "worker/rpc/coordinator_client.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

#include "coordinator/worker_link/worker_link.h"
#include "tests/support/fake_channel.h"
#include "tests/support/status_matchers.h"

namespace atl::worker {
namespace {

// What both ends have heard, in one place to wait on.
class Log {
 public:
  void Add(const std::string& line) {
    {
      std::lock_guard lock(mutex_);
      lines_.push_back(line);
    }
    changed_.notify_all();
  }
  bool WaitForLines(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&] { return lines_.size() >= count; });
  }
  std::vector<std::string> lines() {
    std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

class Listener final : public coordinator::WorkerEvents {
 public:
  explicit Listener(Log& log) : log_(log) {}
  void OnHello(coordinator::WorkerId worker, WorkerHello hello) override {
    {
      std::lock_guard lock(mutex_);
      worker_ = worker;
    }
    log_.Add("hello " + hello.host);
  }
  void OnReady(coordinator::WorkerId, absl::StatusOr<WorkerReady> ready) override {
    log_.Add(ready.ok() ? fmt::format("ready {}", ready->epoch.number)
                        : "failed " + MessageOf(ready.status()));
  }
  void OnResult(coordinator::WorkerId, StepResult result) override {
    log_.Add(fmt::format("result {}", result.step));
  }
  void OnClosed(coordinator::WorkerId, absl::Status) override { log_.Add("closed"); }
  coordinator::WorkerId worker() {
    std::lock_guard lock(mutex_);
    return worker_;
  }

 private:
  Log& log_;
  std::mutex mutex_;
  coordinator::WorkerId worker_{};
};

class Handler final : public WorkerHandler {
 public:
  explicit Handler(Log& log) : log_(log) {}
  WorkerHello Hello() override { return testing::FakeHello(3); }
  void OnEpochStart(EpochStart start) override {
    log_.Add(fmt::format("epoch {}", start.epoch.number));
  }
  void OnPlan(StepPlan plan) override { log_.Add(fmt::format("plan {}", plan.step)); }
  void OnEpochEnd(Epoch, std::string reason) override { log_.Add("end " + reason); }
  void OnShutdown() override { log_.Add("shutdown"); }
  void OnRefused(absl::Status why) override { log_.Add("refused " + MessageOf(why)); }
  void OnDisconnected(absl::Status) override { log_.Add("disconnected"); }

 private:
  Log& log_;
};

class CoordinatorClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto port = link_->Start(listener_);
    ASSERT_OK(port);
    client_ = CoordinatorClient::Create({.address = fmt::format("127.0.0.1:{}", *port)}, handler_);
    client_->Start();
    ASSERT_TRUE(up_.WaitForLines(1));
  }
  void StartEpoch(uint32_t number) {
    link_->SendEpochStart(
        listener_.worker(),
        {.epoch = {1, number}, .transport_addresses = {"a"}, .expert_owner = {{0}}});
  }
  WorkerReady Ready(uint32_t number) {
    return {.epoch = {1, number}, .rank = 0, .capacity = {.kv_blocks = 1, .state_slots = 1}};
  }
  void TearDown() override {
    client_.reset();
    link_->Stop(absl::Seconds(5));
  }

  Log up_;
  Log down_;
  Listener listener_{up_};
  Handler handler_{down_};
  std::unique_ptr<coordinator::WorkerLink> link_ =
      coordinator::WorkerLink::Create({.address = "127.0.0.1:0"});
  std::unique_ptr<CoordinatorClient> client_;
};

TEST_F(CoordinatorClientTest, CarriesEveryKindInOrder) {
  StartEpoch(1);
  link_->SendPlan(listener_.worker(), {.epoch = {1, 1}, .step = 5});
  link_->SendEpochEnd(listener_.worker(), {1, 1}, "lost worker 0");
  link_->SendShutdown(listener_.worker());
  ASSERT_TRUE(down_.WaitForLines(4));
  EXPECT_THAT(down_.lines(),
              ::testing::ElementsAre("epoch 1", "plan 5", "end lost worker 0", "shutdown"));
}

TEST_F(CoordinatorClientTest, WhatSpeaksOfAnotherEpochIsDropped) {
  client_->SendReady(Ready(1), {1, 1}, 0);
  StartEpoch(2);
  ASSERT_TRUE(down_.WaitForLines(1));
  client_->SendReady(Ready(1), {1, 1}, 0);
  client_->SendResult({.epoch = {1, 1}, .step = 9});
  client_->SendReady(Ready(2), {1, 2}, 0);
  client_->SendResult({.epoch = {1, 2}, .step = 10});
  client_->SendReady(Unavailable("no peer"), {1, 2}, 0);
  ASSERT_TRUE(up_.WaitForLines(4));
  EXPECT_THAT(up_.lines(),
              ::testing::ElementsAre("hello node-3", "ready 2", "result 10", "failed no peer"));
}

TEST_F(CoordinatorClientTest, WhatIsQueuedIsSentBeforeTheStreamCloses) {
  StartEpoch(1);
  ASSERT_TRUE(down_.WaitForLines(1));
  for (uint64_t step = 1; step <= 500; ++step) {
    client_->SendResult({.epoch = {1, 1}, .step = step});
  }
  client_.reset();
  ASSERT_TRUE(up_.WaitForLines(502));
  EXPECT_EQ(up_.lines().at(1), "result 1");
  EXPECT_EQ(up_.lines().at(500), "result 500");
  EXPECT_EQ(up_.lines().at(501), "closed");
}

TEST_F(CoordinatorClientTest, ACutStreamIsToldAndRedialled) {
  StartEpoch(1);
  ASSERT_TRUE(down_.WaitForLines(1));
  link_->Refuse(listener_.worker(), Unavailable("come again"));
  ASSERT_TRUE(down_.WaitForLines(2));
  EXPECT_EQ(down_.lines().at(1), "disconnected");
  ASSERT_TRUE(up_.WaitForLines(3));
  EXPECT_THAT(up_.lines(), ::testing::ElementsAre("hello node-3", "closed", "hello node-3"));
}

TEST(CoordinatorClientWithoutCoordinatorTest, GoesAwayWhileItDials) {
  Log log;
  Handler handler(log);
  const auto begin = std::chrono::steady_clock::now();
  {
    const auto client = CoordinatorClient::Create({.address = "127.0.0.1:1"}, handler);
    client->Start();
  }
  { const auto never_started = CoordinatorClient::Create({.address = "127.0.0.1:1"}, handler); }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_THAT(log.lines(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace atl::worker
