#include "worker/process/worker_process.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "common/base/status_macros.h"
#include "common/concurrency/machine_limits.h"
#include "common/log/log.h"
#include "worker/process/model_runner.h"
#include "worker/process/scripted_worker.h"

namespace atl::worker {
namespace {

// How often an idle worker moves its transport along.
constexpr std::chrono::milliseconds kIdleProgress(100);

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

absl::StatusOr<std::unique_ptr<StepRunner>> MakeRunner(const WorkerFlags& flags,
                                                       std::stop_token stop) {
  WorkerHello machine = {.wire_version = kWireVersion,
                         .host = HostName(),
                         .pid = getpid(),
                         .cpus = flags.threads == 0 ? CpusAllowed() : flags.threads,
                         .memory_bytes = static_cast<uint64_t>(MemoryLimitBytes())};
  if (IsScripted(flags.model))
    return MakeScriptedRunner(flags, std::move(machine), std::move(stop));
  return ModelRunner::Create(flags, std::move(machine));
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerProcess::Create(const WorkerFlags& flags) {
  std::unique_ptr<WorkerProcess> worker(new WorkerProcess);
  worker->coordinator_ = flags.coordinator;
  ATOLL_ASSIGN_OR_RETURN(worker->runner_, MakeRunner(flags, worker->stop_.get_token()));
  return worker;
}

WorkerProcess::~WorkerProcess() {
  client_.reset();  // its threads call us
}

void WorkerProcess::Push(Command command) {
  // The coordinator keeps at most two plans in flight; a queue of 64 is full only when something of
  // ours is broken.
  CHECK(commands_.TryPush(std::move(command)), "64 commands wait");
}

void WorkerProcess::ShutDown(absl::Status status) {
  Push(Shutdown{std::move(status)});
  stop_.request_stop();
}

absl::Status WorkerProcess::Run() {
  client_ = CoordinatorClient::Create({.address = coordinator_}, *this);
  client_->Start();
  while (true) {
    std::optional<Command> command =
        commands_.Pop(std::chrono::steady_clock::now() + kIdleProgress);
    if (!command.has_value()) {
      runner_->Progress();
      continue;
    }
    if (const auto* shutdown = std::get_if<Shutdown>(&*command)) return shutdown->status;
    if (const auto* start = std::get_if<EpochStart>(&*command)) {
      Begin(*start);
      continue;
    }
    const StepResult result = runner_->Execute(std::get<StepPlan>(*command));
    if (!result.status.ok()) LOG_WARNING("step {}: {}", result.step, MessageOf(result.status));
    client_->SendResult(result);
  }
}

void WorkerProcess::Begin(const EpochStart& start) {
  term_max_ = std::max(term_max_.load(), start.epoch.term);
  log::SetProcessName(fmt::format("worker {}", start.rank));
  const absl::Status joined = runner_->JoinEpoch(start);
  if (!joined.ok()) {
    LOG_ERROR("epoch {}.{}: {}", start.epoch.term, start.epoch.number, MessageOf(joined));
    client_->SendReady(joined, start.epoch, start.rank);
    return;
  }
  client_->SendReady(runner_->MakeReady(), start.epoch, start.rank);
  LOG_INFO("epoch {}.{}: rank {} of {}, ready", start.epoch.term, start.epoch.number, start.rank,
           start.transport_addresses.size());
}

void WorkerProcess::Stop() { ShutDown(absl::OkStatus()); }

WorkerHello WorkerProcess::Hello() {
  WorkerHello hello = runner_->hello();
  hello.term_max = term_max_;
  return hello;
}

void WorkerProcess::OnEpochStart(EpochStart start) { Push(std::move(start)); }
void WorkerProcess::OnPlan(StepPlan plan) { Push(std::move(plan)); }

void WorkerProcess::OnEpochEnd(Epoch epoch, std::string reason) {
  LOG_WARNING("epoch {}.{} ended: {}", epoch.term, epoch.number, reason);
  runner_->EndEpoch(reason);
}

void WorkerProcess::OnShutdown() {
  LOG_INFO("the coordinator shuts this worker down");
  ShutDown(absl::OkStatus());
}

void WorkerProcess::OnRefused(absl::Status why) { ShutDown(std::move(why)); }

void WorkerProcess::OnDisconnected(absl::Status why) {
  LOG_WARNING("the coordinator is gone ({}), dialling again", MessageOf(why));
  runner_->EndEpoch("the coordinator is gone");
}

}  // namespace atl::worker
