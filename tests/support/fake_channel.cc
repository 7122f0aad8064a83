#include "tests/support/fake_channel.h"

#include <gtest/gtest.h>

#include <chrono>

#include "common/base/check.h"

namespace atl::testing {

constexpr auto kPatience = std::chrono::seconds(20);

BoundedQueue<ToWorker>& FakeChannel::Queue(coordinator::WorkerId worker) {
  std::lock_guard lock(mutex_);
  auto& queue = queues_[worker];
  if (queue == nullptr) queue = std::make_unique<BoundedQueue<ToWorker>>(1024);
  if (closed_) queue->Close();
  return *queue;
}

std::optional<ToWorker> FakeChannel::Next(coordinator::WorkerId worker) {
  return Queue(worker).Pop(std::chrono::steady_clock::now() + kPatience);
}

void FakeChannel::Put(coordinator::WorkerId worker, ToWorker message) {
  BoundedQueue<ToWorker>& queue = Queue(worker);
  const bool put = queue.TryPush(std::move(message));
  CHECK(put || queue.closed(), "a fake worker is sent more than it can hold");
}

void FakeChannel::Complain(coordinator::WorkerId worker, const std::optional<ToWorker>& message) {
  ADD_FAILURE() << "worker " << static_cast<uint64_t>(worker) << " was sent "
                << (message ? fmt::format("message kind {}", message->index()) : "nothing");
}

void FakeChannel::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  for (auto& [worker, queue] : queues_) queue->Close();
}

WorkerHello FakeHello(int32_t index, uint32_t term_max) {
  return {.wire_version = kWireVersion,
          .host = fmt::format("node-{}", index),
          .pid = 1000 + index,
          .cpus = 1,
          .memory_bytes = 1 << 30,
          .model_digest = "digest",
          .dtype = "float32",
          .kernels = "ref",
          .transport_address = fmt::format("address {}", index),
          .term_max = term_max,
          .num_layers = 2,
          .num_experts = 5,
          .vocab_size = 1000};
}

WorkerReady FakeReady(const EpochStart& start, const FakeWorkerOptions& options) {
  return {.epoch = start.epoch, .rank = start.rank, .capacity = options.capacity()};
}

FakeCluster::FakeCluster(FakeChannel& channel, coordinator::WorkerEvents& events,
                         int32_t num_workers, FakeWorkerOptions options)
    : channel_(channel), events_(events), killed_(static_cast<size_t>(num_workers)) {
  for (int32_t i = 0; i < num_workers; ++i) {
    events_.OnHello(coordinator::WorkerId{static_cast<uint64_t>(i)}, FakeHello(i));
  }
  for (int32_t i = 0; i < num_workers; ++i) {
    options.rank = i;
    threads_.emplace_back([this, i, options] { Serve(i, options); });
  }
}

FakeCluster::~FakeCluster() {
  channel_.Close();
  for (std::thread& thread : threads_) thread.join();
}

void FakeCluster::Kill(int32_t index) {
  {
    std::lock_guard lock(mutex_);
    killed_[static_cast<size_t>(index)] = true;
  }
  events_.OnClosed(coordinator::WorkerId{static_cast<uint64_t>(index)},
                   Unavailable("the connection closed"));
}

std::vector<std::string> FakeCluster::violations() {
  std::lock_guard lock(mutex_);
  return violations_;
}

void FakeCluster::Serve(int32_t index, FakeWorkerOptions options) {
  const coordinator::WorkerId id{static_cast<uint64_t>(index)};
  FakeWorker worker(options);
  while (const std::optional<ToWorker> message = channel_.Next(id)) {
    {
      std::lock_guard lock(mutex_);
      if (killed_[static_cast<size_t>(index)]) continue;
    }
    if (const auto* start = std::get_if<EpochStart>(&*message)) {
      events_.OnReady(id, FakeReady(*start, options));
    } else if (const auto* plan = std::get_if<StepPlan>(&*message)) {
      absl::StatusOr<StepResult> result = worker.Execute(*plan);
      if (!result.ok()) {
        std::lock_guard lock(mutex_);
        violations_.push_back(MessageOf(result.status()));
        continue;
      }
      events_.OnResult(id, *std::move(result));
    }
  }
}

}  // namespace atl::testing
