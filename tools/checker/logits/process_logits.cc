#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/concurrency/clock.h"
#include "common/log/log.h"
#include "coordinator/engine/engine.h"
#include "coordinator/worker_link/worker_link.h"
#include "tools/checker/logits/child_processes.h"
#include "tools/checker/logits/logits_source.h"

namespace atl::tools {
namespace {

const absl::Duration kReadyLimit = absl::Minutes(10);  // a large checkpoint is read from disk
constexpr std::chrono::minutes kAnswerLimit(30);
const absl::Duration kLeaveLimit = absl::Seconds(10);

// What the engine tells of one request.
class Inbox {
 public:
  Inbox(size_t num_rows, size_t vocab_size)
      : vocab_size_(vocab_size), logits_(num_rows * vocab_size) {}

  void Add(const ProbeResult& probe) {
    std::lock_guard lock(mutex_);
    const size_t begin = static_cast<size_t>(probe.begin) * vocab_size_;
    if (probe.begin < 0 || probe.logits.size() % vocab_size_ != 0 || begin > logits_.size() ||
        probe.logits.size() > logits_.size() - begin) {
      overrun_ = true;
      return;
    }
    std::copy(probe.logits.begin(), probe.logits.end(),
              logits_.begin() + static_cast<int64_t>(begin));
    filled_ += probe.logits.size();
  }
  void Add(std::span<const TokenId> ids) {
    std::lock_guard lock(mutex_);
    generated_.insert(generated_.end(), ids.begin(), ids.end());
  }
  void End(const absl::Status& status) {
    std::lock_guard lock(mutex_);
    end_ = status;
    ended_.notify_all();
  }

  absl::StatusOr<LogitsRows> WaitForAll() {
    std::unique_lock lock(mutex_);
    if (!ended_.wait_for(lock, kAnswerLimit, [&] { return end_.has_value(); })) {
      return DeadlineExceeded("the workers gave no answer within {} minutes", kAnswerLimit.count());
    }
    if (!end_->ok()) return *end_;
    if (overrun_ || filled_ != logits_.size()) {
      return Internal("the workers reported {} logits where {} were asked for", filled_,
                      logits_.size());
    }
    return LogitsRows{std::move(logits_), std::move(generated_)};
  }

 private:
  const size_t vocab_size_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<float> logits_;
  size_t filled_ = 0;
  bool overrun_ = false;
  std::vector<TokenId> generated_;
  std::optional<absl::Status> end_;
};

// The inbox may be gone before the engine lets go of the sink, so they share it.
class InboxSink : public coordinator::RequestSink {
 public:
  explicit InboxSink(std::shared_ptr<Inbox> inbox) : inbox_(std::move(inbox)) {}
  void OnPrompt(int32_t, std::span<const TokenLogprobs>) override {}
  void OnTokens(std::span<const TokenId> ids, std::span<const TokenLogprobs>) override {
    inbox_->Add(ids);
  }
  void OnProbe(const ProbeResult& probe) override { inbox_->Add(probe); }
  void OnFinish(const coordinator::RequestEnd& end) override { inbox_->End(end.status); }

 private:
  const std::shared_ptr<Inbox> inbox_;
};

// An engine, its link, and workers that have joined.
class Cluster {
 public:
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const CheckFlags& flags,
                                                        const ModelConfig& config, int32_t chunk);
  ~Cluster();

  absl::StatusOr<LogitsRows> Run(const LogitsJob& job, const ModelConfig& config);
  int32_t chunk() const { return chunk_; }

 private:
  explicit Cluster(int32_t chunk) : chunk_(chunk) {}
  absl::Status WaitUntilReady();

  const int32_t chunk_;
  std::unique_ptr<coordinator::WorkerLink> link_;  // outlives the engine
  std::unique_ptr<coordinator::Engine> engine_;
  std::unique_ptr<ChildProcesses> workers_;
  bool was_ready_ = false;
};

absl::StatusOr<std::string> WorkerProgram() {
  std::array<char, 4096> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  if (size <= 0 || size == static_cast<ssize_t>(path.size())) {
    return NotFound("/proc/self/exe: where this program stands cannot be read");
  }
  const std::string self(path.data(), static_cast<size_t>(size));
  return self.substr(0, self.rfind('/') + 1) + "atoll-worker";
}

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Start(const CheckFlags& flags,
                                                        const ModelConfig& config, int32_t chunk) {
  std::unique_ptr<Cluster> cluster(new Cluster(chunk));
  ATOLL_ASSIGN_OR_RETURN(const std::string program, WorkerProgram());
  cluster->link_ = coordinator::WorkerLink::Create({.address = "127.0.0.1:0"});
  const int64_t context = std::min<int64_t>(config.context_length(), 1 << 24);
  ATOLL_ASSIGN_OR_RETURN(cluster->engine_, coordinator::Engine::Create(
                                               {.num_workers = flags.processes,
                                                .max_num_seqs = 1,
                                                .max_num_batched_tokens = chunk,
                                                .max_queue = 1,
                                                .max_model_len = static_cast<int32_t>(context)},
                                               *cluster->link_, nullptr));
  ATOLL_ASSIGN_OR_RETURN(const int port, cluster->link_->Start(cluster->engine_->worker_events()));
  const std::vector<std::string> args = {"--model",        flags.model,
                                         "--dtype",        flags.dtype,
                                         "--threads",      std::to_string(flags.threads),
                                         "--coordinator",  fmt::format("127.0.0.1:{}", port),
                                         "--max-num-seqs", "1",
                                         "--log-level",    "warning"};
  ATOLL_ASSIGN_OR_RETURN(cluster->workers_, ChildProcesses::Start(program, args, flags.processes));
  ATOLL_RETURN_IF_ERROR(cluster->WaitUntilReady());
  return cluster;
}

absl::Status Cluster::WaitUntilReady() {
  const MonotonicTime deadline = RealClock().Now() + kReadyLimit;
  while (true) {
    const coordinator::ReadyState state = engine_->ready_state();
    was_ready_ = state.ready;
    if (state.ready) return absl::OkStatus();
    ATOLL_RETURN_IF_ERROR(workers_->CheckAllRun());
    if (RealClock().Now() > deadline) return DeadlineExceeded("{}", state.reason);
    absl::SleepFor(absl::Milliseconds(5));
  }
}

Cluster::~Cluster() {
  if (engine_) engine_->Drain(absl::ZeroDuration());  // tells the workers to go
  // A worker that has not joined is told nothing: it is not waited for.
  const absl::Duration limit = was_ready_ ? kLeaveLimit : absl::ZeroDuration();
  if (workers_ && !workers_->WaitForEnd(limit) && was_ready_) {
    LOG_WARNING("a worker process did not end as it was told to");
  }
  if (link_) link_->Stop(absl::ZeroDuration());
  engine_.reset();
}

absl::StatusOr<LogitsRows> Cluster::Run(const LogitsJob& job, const ModelConfig& config) {
  coordinator::Request request{.prompt = job.ids,
                               .max_new_tokens = std::max(job.num_generate, 1),
                               .sampling = {.temperature = 0.0f},
                               .seed = 0,
                               .rope_factor = 1.0f,
                               .probe = Probe::kLogits};
  const size_t rows = job.ids.size() + static_cast<size_t>(request.max_new_tokens) - 1;
  const auto inbox = std::make_shared<Inbox>(rows, static_cast<size_t>(config.vocab_size));
  ATOLL_RETURN_IF_ERROR(
      engine_->Submit(std::move(request), std::make_unique<InboxSink>(inbox)).status());
  ATOLL_ASSIGN_OR_RETURN(LogitsRows result, inbox->WaitForAll());
  if (result.generated.size() + job.ids.size() != rows + 1) {
    return Internal("the workers sampled {} tokens where {} were asked for",
                    result.generated.size(), rows + 1 - job.ids.size());
  }
  result.generated.resize(static_cast<size_t>(job.num_generate));
  return result;
}

class ProcessLogits : public LogitsSource {
 public:
  ProcessLogits(CheckFlags flags, ModelConfig config)
      : flags_(std::move(flags)), config_(std::move(config)) {}

  absl::StatusOr<LogitsRows> Run(const LogitsJob& job) override {
    // The size of a chunk is a limit of the scheduler's, for its whole life.
    if (cluster_ == nullptr || cluster_->chunk() != job.chunk) {
      cluster_.reset();
      ATOLL_ASSIGN_OR_RETURN(cluster_, Cluster::Start(flags_, config_, job.chunk));
    }
    absl::StatusOr<LogitsRows> rows = cluster_->Run(job, config_);
    if (!rows.ok()) cluster_.reset();
    return rows;
  }

 private:
  const CheckFlags flags_;
  const ModelConfig config_;
  std::unique_ptr<Cluster> cluster_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LogitsSource>> MakeProcessLogits(const CheckFlags& flags,
                                                                const ModelConfig& config) {
  log::SetProcessName("check");
  log::SetLevel(log::Level::kWarning);
  // gRPC prints its own lines of many columns for what comes back to us as a status.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  return std::make_unique<ProcessLogits>(flags, config);
}

}  // namespace atl::tools
