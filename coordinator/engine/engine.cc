#include "coordinator/engine/engine.h"

#include <algorithm>
#include <optional>
#include <random>
#include <thread>
#include <unordered_set>
#include <utility>

#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/log/log.h"
#include "common/step/expert_owners.h"
#include "common/step/limits.h"
#include "common/step/step_codec.h"
#include "coordinator/engine/epoch_run.h"
#include "coordinator/engine/inbox.h"
#include "coordinator/membership/membership.h"

namespace atl::coordinator {
namespace {

// Logits of a step and home travel in one message, beside everything else.
constexpr int64_t kLogitBytesMax = kStreamMessageBytesMax / 2;

class SilentObserver final : public EngineObserver {
 public:
  void OnStep(const StepSummary&) override {}
  void OnWorkerStep(int32_t, const StepStats&) override {}
  void OnGauges(const EngineGauges&) override {}
  void OnPreempted(int32_t) override {}
  void OnRequestEnd(const RequestSummary&) override {}
  void OnWorkerLost(int32_t) override {}
};

absl::Status CheckOption(const char* name, int64_t value, int64_t min, int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return InvalidArgument("{} is {}, give {} to {}", name, value, min, max);
}

absl::Status CheckOptions(const EngineOptions& options) {
  ATOLL_RETURN_IF_ERROR(CheckOption("num_workers", options.num_workers, 1, kRanksMax));
  ATOLL_RETURN_IF_ERROR(CheckOption("max_num_seqs", options.max_num_seqs, 1, kSequencesPerStepMax));
  ATOLL_RETURN_IF_ERROR(
      CheckOption("max_num_batched_tokens", options.max_num_batched_tokens, 1, kRowsPerStepMax));
  if (options.step_time_target < absl::Milliseconds(1)) {
    return InvalidArgument("step_time_target is {} us, give at least 1000",
                           absl::ToInt64Microseconds(options.step_time_target));
  }
  if (options.queue_timeout <= absl::ZeroDuration()) {
    return InvalidArgument("queue_timeout is {} s, give more than 0",
                           absl::ToDoubleSeconds(options.queue_timeout));
  }
  ATOLL_RETURN_IF_ERROR(CheckOption("max_queue", options.max_queue, 1, 1 << 20));
  ATOLL_RETURN_IF_ERROR(CheckOption("max_model_len", options.max_model_len, 1, 1 << 24));
  ATOLL_RETURN_IF_ERROR(CheckOption("steps_in_flight", options.steps_in_flight, 1, 16));
  if (options.max_num_batched_tokens < options.max_num_seqs) {
    return InvalidArgument(
        "max_num_batched_tokens is {} and max_num_seqs {}: a step must have a row for every "
        "running sequence, raise the first or lower the second",
        options.max_num_batched_tokens, options.max_num_seqs);
  }
  return absl::OkStatus();
}

int64_t StepTimeTargetUs(const EngineOptions& options) {
  if (options.step_time_target == absl::InfiniteDuration()) return 0;
  return absl::ToInt64Microseconds(options.step_time_target);
}

HomeGauges GaugesOf(const Scheduler& scheduler, int32_t rank) {
  const HomeLedger& ledger = scheduler.ledger(rank);
  return {.capacity = scheduler.capacity(rank),
          .running = ledger.num_sequences(),
          .prefill_rows_left = scheduler.prefill_rows_left(rank),
          .blocks_free = ledger.num_blocks_free(),
          .slots_free = ledger.num_slots_free()};
}

uint64_t RandomSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

class EngineThread final : public Engine, private WorkerEvents {
 public:
  EngineThread(EngineOptions options, WorkerChannel& channel, EngineObserver* observer)
      : options_(std::move(options)),
        channel_(channel),
        observer_(observer != nullptr ? *observer : silent_),
        inbox_(options_.max_queue),
        membership_(options_.num_workers) {
    PublishReady();
    thread_ = std::thread([this] { Run(); });
  }
  ~EngineThread() override { Drain(absl::ZeroDuration()); }

  WorkerEvents& worker_events() override { return *this; }
  absl::StatusOr<SeqId> Submit(Request request, std::unique_ptr<RequestSink> sink) override {
    return inbox_.Submit(std::move(request), std::move(sink));
  }
  void Cancel(SeqId seq) override { inbox_.Cancel(seq); }
  ReadyState ready_state() const override { return inbox_.ready_state(); }
  RequestLimits limits() const override { return inbox_.limits(); }
  absl::Duration RetryAfter() const override { return inbox_.retry_after(); }
  bool Drain(absl::Duration limit) override;

 private:
  // WorkerEvents, on the channel's threads.
  void OnHello(WorkerId worker, WorkerHello hello) override {
    inbox_.Push({worker, std::move(hello)});
  }
  void OnReady(WorkerId worker, absl::StatusOr<WorkerReady> ready) override {
    inbox_.Push({worker, std::move(ready)});
  }
  void OnResult(WorkerId worker, StepResult result) override {
    inbox_.Push({worker, std::move(result)});
  }
  void OnClosed(WorkerId worker, absl::Status why) override {
    inbox_.Push({worker, StreamClosed{std::move(why)}});
  }

  // Everything below on the engine thread.
  void Run();
  void Handle(WorkerId worker, WorkerHello& hello);
  void Handle(WorkerId worker, absl::StatusOr<WorkerReady>& ready);
  void Handle(WorkerId worker, StepResult& result);
  void Handle(WorkerId worker, StreamClosed& closed);
  void Start(Submission submission);
  void StartEpoch();
  void StartRun();
  void Lose(WorkerId worker, const absl::Status& why);
  MonotonicTime Verdict() const;
  void Judge();
  void PublishReady();
  void PublishGauges();
  MonotonicTime Now() const { return options_.clock->Now(); }

  const EngineOptions options_;
  WorkerChannel& channel_;
  SilentObserver silent_;
  EngineObserver& observer_;
  Inbox inbox_;
  std::mutex join_mutex_;

  Membership membership_;
  std::unordered_set<WorkerId> connected_;  // accepted and not closed
  ExpertGrid experts_;
  RequestLimits limits_{.max_model_len = options_.max_model_len};
  std::vector<HomeCapacity> homes_;  // by rank, from kConnecting on
  std::unique_ptr<EpochRun> run_;    // while the epoch is ready
  struct Suspicion {
    std::vector<int32_t> reporters;  // ranks that failed for want of a peer
    absl::Status why;                // as the first of them said it
    MonotonicTime verdict;
  };
  std::optional<Suspicion> suspicion_;  // nothing is planned while there is one

  std::thread thread_;
};

bool EngineThread::Drain(absl::Duration limit) {
  inbox_.CloseForRequests("the server is shutting down");
  const bool idle = inbox_.WaitUntilIdle(limit);
  inbox_.Stop();
  std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
  return idle;
}

void EngineThread::Run() {
  bool stop = false;
  while (!stop) {
    const MonotonicTime due =
        run_ ? std::min(Verdict(), run_->next_expiry()) : MonotonicTime::InfiniteFuture();
    Inbox::Batch batch = inbox_.Take(
        due == MonotonicTime::InfiniteFuture() ? absl::InfiniteDuration() : due - Now());
    for (WorkerEvent& event : batch.events) {
      std::visit([&](auto& what) { Handle(event.worker, what); }, event.what);
    }
    for (Submission& submission : batch.submissions) Start(std::move(submission));
    for (const SeqId seq : batch.cancellations) {
      if (run_) run_->Cancel(seq);
    }
    stop = batch.stop;
    Judge();
    if (run_) run_->Expire();
    if (run_ && !suspicion_ && !stop) run_->PlanAhead();
    PublishGauges();
  }
  if (run_) run_->FailAll(Unavailable("the server is shutting down"));
  run_.reset();
  for (const WorkerId worker : connected_) channel_.SendShutdown(worker);
}

void EngineThread::Handle(WorkerId worker, WorkerHello& hello) {
  const std::string name = fmt::format("{}, pid {}", hello.host, hello.pid);
  const absl::Status joined = membership_.Join({.id = worker,
                                                .name = name,
                                                .transport_address = hello.transport_address,
                                                .term_max = hello.term_max});
  if (!joined.ok()) {
    channel_.Refuse(worker, joined);
    return;
  }
  LOG_INFO("worker {} joined: {} cpus, {} MiB, {}, kernels {}", name, hello.cpus,
           hello.memory_bytes >> 20, hello.dtype, hello.kernels);
  connected_.insert(worker);
  experts_ = {.num_layers = hello.num_layers, .num_experts = hello.num_experts};
  limits_.vocab_size = hello.vocab_size;
  if (membership_.state() == MembershipState::kConnecting) StartEpoch();
  PublishReady();
}

void EngineThread::StartEpoch() {
  EpochStart start{.epoch = membership_.epoch()};
  const auto num_ranks = static_cast<int32_t>(membership_.members().size());
  start.expert_owner = ContiguousOwners(experts_, num_ranks);
  for (const Member& member : membership_.members()) {
    start.transport_addresses.push_back(member.transport_address);
  }
  homes_.assign(membership_.members().size(), {});
  for (const Member& member : membership_.members()) {
    channel_.SendEpochStart(member.id, start);
    ++start.rank;
  }
  LOG_INFO("epoch {}.{} starts with {} workers", start.epoch.term, start.epoch.number, num_ranks);
}

void EngineThread::Handle(WorkerId worker, absl::StatusOr<WorkerReady>& ready) {
  if (!connected_.contains(worker)) return;
  if (!ready.ok()) return Lose(worker, ready.status());
  const absl::Status accepted = membership_.SetReady(worker, ready->epoch, ready->rank);
  if (!accepted.ok()) return Lose(worker, accepted);
  homes_[static_cast<size_t>(ready->rank)] = ready->capacity;
  LOG_INFO("worker {} is ready: {} KV blocks, {} sequences", ready->rank, ready->capacity.kv_blocks,
           ready->capacity.state_slots);
  if (membership_.state() == MembershipState::kReady) StartRun();
  PublishReady();
}

void EngineThread::StartRun() {
  const int64_t logit_rows = kLogitBytesMax / (int64_t{4} * limits_.vocab_size);
  EpochRunArgs args{.scheduler = {.max_num_seqs = options_.max_num_seqs,
                                  .max_num_batched_tokens = options_.max_num_batched_tokens,
                                  .logit_rows_max = static_cast<int32_t>(
                                      std::clamp<int64_t>(logit_rows, 1, 1 << 16)),
                                  .step_time_target_us = StepTimeTargetUs(options_)},
                    .steps_in_flight = options_.steps_in_flight,
                    .queue_timeout = options_.queue_timeout,
                    .vocab_size = limits_.vocab_size,
                    .epoch = membership_.epoch(),
                    .workers = {},
                    .homes = homes_,
                    .make_seed = options_.make_seed ? options_.make_seed : RandomSeed,
                    .clock = options_.clock};
  for (const Member& member : membership_.members()) args.workers.push_back(member.id);
  run_ = std::make_unique<EpochRun>(std::move(args), channel_, observer_, inbox_);
  limits_.tokens_max = run_->scheduler().tokens_max();
  LOG_INFO("ready: a request may have {} tokens",
           std::min<int64_t>(limits_.tokens_max, limits_.max_model_len));
}

void EngineThread::Handle(WorkerId worker, StepResult& result) {
  const std::optional<int32_t> rank = membership_.RankOf(worker);
  if (!run_ || !rank) return;  // of an epoch that is over
  const absl::Status status = run_->Report(*rank, std::move(result));
  if (status.ok()) return;
  // Who reports that a peer is gone is not the one that is gone: that one's stream will close.
  const bool peer_lost = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
  if (!peer_lost || membership_.members().size() == 1) return Lose(worker, status);
  LOG_WARNING("worker {}: {}", *rank, MessageOf(status));
  if (!suspicion_) suspicion_ = {{}, status, Now() + options_.peer_loss_grace};
  suspicion_->reporters.push_back(*rank);
}

void EngineThread::Handle(WorkerId worker, StreamClosed& closed) {
  connected_.erase(worker);
  Lose(worker, closed.why);
}

void EngineThread::Start(Submission submission) {
  if (run_) return run_->Add(std::move(submission));
  // The epoch ended between the inbox and here.
  submission.sink->OnFinish(
      {.reason = FinishReason::kError, .status = Unavailable("{}", membership_.Reason())});
  inbox_.Ended(submission.id);
  inbox_.PublishWaiting(0, RetryEstimate::kMin);
}

// The first loss ends the epoch: every request fails, the survivors abandon what runs.
void EngineThread::Lose(WorkerId worker, const absl::Status& why) {
  const bool was_lost = membership_.state() == MembershipState::kLost;
  membership_.Lose(worker, MessageOf(why));
  PublishReady();
  if (connected_.erase(worker) > 0) channel_.Refuse(worker, why);
  if (was_lost || membership_.state() != MembershipState::kLost) return;
  const std::string reason = membership_.Reason();
  LOG_ERROR("{}", reason);
  for (const Member& member : membership_.members()) {
    if (connected_.contains(member.id)) {
      channel_.SendEpochEnd(member.id, membership_.epoch(), reason);
    }
  }
  if (run_) run_->FailAll(Unavailable("{}", reason));
  run_.reset();
  suspicion_.reset();
  observer_.OnWorkerLost(*membership_.RankOf(worker));
}

// Until when the workers may leave things as they are.
MonotonicTime EngineThread::Verdict() const {
  if (!run_) return MonotonicTime::InfiniteFuture();
  const MonotonicTime overdue = run_->oldest_sent() + options_.step_limit;
  return suspicion_ ? std::min(suspicion_->verdict, overdue) : overdue;
}

void EngineThread::Judge() {
  if (!run_ || Now() < Verdict()) return;
  std::vector<int32_t> reporters;
  if (suspicion_) reporters = suspicion_->reporters;
  for (const int32_t rank : run_->SilentRanks()) {
    if (std::find(reporters.begin(), reporters.end(), rank) != reporters.end()) continue;
    const absl::Duration silence = Now() - run_->oldest_sent();
    return Lose(membership_.members()[static_cast<size_t>(rank)].id,
                DeadlineExceeded("it has not reported its step for {:.1f} s",
                                 absl::ToDoubleSeconds(silence)));
  }
  CHECK(!reporters.empty());
  const absl::Status why = suspicion_->why;
  Lose(membership_.members()[static_cast<size_t>(reporters.front())].id, why);
}

void EngineThread::PublishReady() {
  inbox_.Publish({.ready = run_ != nullptr && membership_.state() == MembershipState::kReady,
                  .reason = membership_.Reason()},
                 limits_);
}

void EngineThread::PublishGauges() {
  EngineGauges gauges;
  gauges.workers_joined = static_cast<int32_t>(connected_.size());
  gauges.ready = run_ != nullptr;
  if (run_) {
    const Scheduler& scheduler = run_->scheduler();
    gauges.running = scheduler.num_running();
    gauges.waiting = scheduler.num_waiting();
    for (int32_t rank = 0; rank < scheduler.num_homes(); ++rank) {
      gauges.homes.push_back(GaugesOf(scheduler, rank));
    }
  }
  observer_.OnGauges(gauges);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(EngineOptions options,
                                                       WorkerChannel& channel,
                                                       EngineObserver* observer) {
  ATOLL_RETURN_IF_ERROR(CheckOptions(options));
  return std::make_unique<EngineThread>(std::move(options), channel, observer);
}

}  // namespace atl::coordinator
