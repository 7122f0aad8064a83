#include "coordinator/worker_link/worker_link.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "common/base/check.h"
#include "common/log/log.h"
#include "common/step/limits.h"
#include "common/step/step_codec.h"
#include "coordinator/worker_link/compatibility.h"
#include "proto/atoll/v1/worker.grpc.pb.h"

namespace atl::coordinator {
namespace {

constexpr size_t kStreamsMax = 2 * kRanksMax;

class Streams;

// One worker's stream. gRPC allows one write at a time, and a read may complete before the write
// that it answers: hence a queue and a flag. The engine bounds the queue by its steps in flight.
class Stream final
    : public grpc::ServerBidiReactor<::atollpb::v1::FromWorker, ::atollpb::v1::ToWorker> {
 public:
  Stream(WorkerId id, Streams& streams) : id_(id), streams_(streams) { StartRead(&incoming_); }

  // Any thread.
  void Send(::atollpb::v1::ToWorker message);
  // Sends what is queued, then ends the stream.
  void CloseAfterWrites(const absl::Status& why);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  void Advance();  // requires mutex_

  const WorkerId id_;
  Streams& streams_;
  ::atollpb::v1::FromWorker incoming_;  // touched by reads only, which come one after another
  bool introduced_ = false;             // the same

  std::mutex mutex_;
  std::deque<::atollpb::v1::ToWorker> outgoing_;
  bool write_in_flight_ = false;
  bool finished_ = false;
  std::optional<absl::Status> close_why_;
};

// All streams, by worker, and where their events go.
class Streams {
 public:
  explicit Streams(WorkerEvents& events) : events_(events) {}

  Stream* Open();  // null: too many
  void Remove(WorkerId id);
  void Send(WorkerId id, ::atollpb::v1::ToWorker message);
  void Refuse(WorkerId id, const absl::Status& why);
  // Accepts a worker's introduction, or says why not.
  absl::Status Introduce(WorkerId id, const WorkerHello& hello);
  bool WaitUntilEmpty(absl::Duration limit);
  WorkerEvents& events() { return events_; }

 private:
  struct Entry {
    Stream* stream = nullptr;
    std::optional<WorkerHello> hello;
  };
  WorkerEvents& events_;
  std::mutex mutex_;
  std::condition_variable removed_;
  uint64_t last_id_ = 0;
  std::map<WorkerId, Entry> entries_;
};

Stream* Streams::Open() {
  std::lock_guard lock(mutex_);
  if (entries_.size() >= kStreamsMax) return nullptr;
  const WorkerId id{++last_id_};
  auto* stream = new Stream(id, *this);  // deletes itself in OnDone, as gRPC's reactors do
  entries_[id] = {stream, std::nullopt};
  return stream;
}

void Streams::Remove(WorkerId id) {
  // Told under the lock: whoever waits may destroy this right after.
  std::lock_guard lock(mutex_);
  entries_.erase(id);
  removed_.notify_all();
}

void Streams::Send(WorkerId id, ::atollpb::v1::ToWorker message) {
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(id);
  if (it != entries_.end()) it->second.stream->Send(std::move(message));
}

void Streams::Refuse(WorkerId id, const absl::Status& why) {
  ::atollpb::v1::ToWorker message;
  Encode(why, message.mutable_refused());
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  it->second.stream->Send(std::move(message));
  it->second.stream->CloseAfterWrites(why);
}

absl::Status Streams::Introduce(WorkerId id, const WorkerHello& hello) {
  std::lock_guard lock(mutex_);
  const WorkerHello* first = nullptr;
  for (const auto& [other, entry] : entries_) {
    if (first == nullptr && entry.hello) first = &*entry.hello;
  }
  const absl::Status status = CheckCompatible(hello, first);
  if (status.ok()) entries_.at(id).hello = hello;
  return status;
}

bool Streams::WaitUntilEmpty(absl::Duration limit) {
  std::unique_lock lock(mutex_);
  return removed_.wait_for(lock, absl::ToChronoMilliseconds(limit),
                           [this] { return entries_.empty(); });
}

void Stream::Send(::atollpb::v1::ToWorker message) {
  std::lock_guard lock(mutex_);
  if (finished_ || close_why_) return;
  outgoing_.push_back(std::move(message));
  Advance();
}

void Stream::CloseAfterWrites(const absl::Status& why) {
  std::lock_guard lock(mutex_);
  if (close_why_) return;
  close_why_ = why;
  Advance();
}

void Stream::Advance() {
  if (finished_ || write_in_flight_) return;
  if (!outgoing_.empty()) {
    write_in_flight_ = true;
    StartWrite(&outgoing_.front());
  } else if (close_why_) {
    finished_ = true;
    Finish(close_why_->ok() ? grpc::Status::OK
                            : grpc::Status(static_cast<grpc::StatusCode>(close_why_->code()),
                                           MessageOf(*close_why_)));
  }
}

void Stream::OnWriteDone(bool ok) {
  std::lock_guard lock(mutex_);
  write_in_flight_ = false;
  if (ok) {
    outgoing_.pop_front();
  } else {
    outgoing_.clear();  // the worker is gone; the read will say so
  }
  Advance();
}

// What a worker says, and what is wrong with it.
absl::Status Deliver(const ::atollpb::v1::FromWorker& message, WorkerId id, Streams& streams,
                     bool& introduced) {
  using From = ::atollpb::v1::FromWorker;
  if (introduced != (message.message_case() != From::kHello)) {
    return InvalidArgument("a worker says Hello {}", introduced ? "only once" : "first");
  }
  switch (message.message_case()) {
    case From::kHello: {
      absl::StatusOr<WorkerHello> hello = Decode(message.hello());
      if (!hello.ok()) return hello.status();
      const absl::Status accepted = streams.Introduce(id, *hello);
      if (!accepted.ok()) return accepted;
      introduced = true;
      streams.events().OnHello(id, *std::move(hello));
      return absl::OkStatus();
    }
    case From::kReady:
      streams.events().OnReady(id, Decode(message.ready()));
      return absl::OkStatus();
    case From::kResult: {
      absl::StatusOr<StepResult> result = Decode(message.result());
      if (!result.ok()) return result.status();
      streams.events().OnResult(id, *std::move(result));
      return absl::OkStatus();
    }
    case From::MESSAGE_NOT_SET:
      break;
  }
  return InvalidArgument("a worker sent a message of a kind that this coordinator does not know");
}

void Stream::OnReadDone(bool ok) {
  if (!ok) {
    std::lock_guard lock(mutex_);
    outgoing_.erase(outgoing_.begin() + (write_in_flight_ ? 1 : 0), outgoing_.end());
    if (!close_why_) close_why_ = absl::OkStatus();
    Advance();
    return;
  }
  const absl::Status status = Deliver(incoming_, id_, streams_, introduced_);
  if (!status.ok()) {
    LOG_WARNING("worker stream {} is refused: {}", static_cast<uint64_t>(id_), MessageOf(status));
    return streams_.Refuse(id_, status);  // nothing more is read of it
  }
  StartRead(&incoming_);
}

void Stream::OnDone() {
  if (introduced_) {
    const bool refused = close_why_ && !close_why_->ok();
    streams_.events().OnClosed(
        id_, refused ? *close_why_ : Unavailable("its connection to the coordinator closed"));
  }
  streams_.Remove(id_);  // the last: no event comes after Stop
  delete this;
}

class WorkerLinkServer final : public WorkerLink,
                               private ::atollpb::v1::WorkerControl::CallbackService {
 public:
  explicit WorkerLinkServer(WorkerLinkOptions options) : options_(std::move(options)) {}
  ~WorkerLinkServer() override { Stop(absl::ZeroDuration()); }

  absl::StatusOr<int> Start(WorkerEvents& events) override;
  void Stop(absl::Duration limit) override;

  void SendEpochStart(WorkerId worker, const EpochStart& start) override {
    ::atollpb::v1::ToWorker message;
    Encode(start, message.mutable_epoch_start());
    streams_->Send(worker, std::move(message));
  }
  void SendPlan(WorkerId worker, const StepPlan& plan) override {
    ::atollpb::v1::ToWorker message;
    Encode(plan, message.mutable_plan());
    streams_->Send(worker, std::move(message));
  }
  void SendEpochEnd(WorkerId worker, Epoch epoch, const std::string& reason) override {
    ::atollpb::v1::ToWorker message;
    Encode(epoch, message.mutable_epoch_end()->mutable_epoch());
    message.mutable_epoch_end()->set_reason(reason);
    streams_->Send(worker, std::move(message));
  }
  void SendShutdown(WorkerId worker) override {
    ::atollpb::v1::ToWorker message;
    message.mutable_shutdown();
    streams_->Send(worker, std::move(message));
  }
  void Refuse(WorkerId worker, const absl::Status& why) override { streams_->Refuse(worker, why); }

 private:
  class TurnedAway final
      : public grpc::ServerBidiReactor<::atollpb::v1::FromWorker, ::atollpb::v1::ToWorker> {
   public:
    TurnedAway() { Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many worker streams"}); }
    void OnDone() override { delete this; }
  };

  grpc::ServerBidiReactor<::atollpb::v1::FromWorker, ::atollpb::v1::ToWorker>* Join(
      grpc::CallbackServerContext*) override {
    Stream* stream = streams_->Open();
    if (stream == nullptr) return new TurnedAway;
    return stream;
  }

  const WorkerLinkOptions options_;
  std::optional<Streams> streams_;  // from Start on; sends come after the first event
  std::unique_ptr<grpc::Server> server_;
};

absl::StatusOr<int> WorkerLinkServer::Start(WorkerEvents& events) {
  CHECK(!streams_.has_value(), "a WorkerLink is started once");
  streams_.emplace(events);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options_.address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  builder.SetMaxReceiveMessageSize(kStreamMessageBytesMax);
  builder.SetMaxSendMessageSize(kStreamMessageBytesMax);
  // Two servers on one port would both start and share the workers.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  const auto milliseconds = [](absl::Duration d) {
    return static_cast<int>(absl::ToInt64Milliseconds(d));
  };
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(options_.keepalive_interval));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             milliseconds(options_.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    server_.reset();
    return Unavailable("cannot listen for workers on {}: is the port taken?", options_.address);
  }
  return port;
}

void WorkerLinkServer::Stop(absl::Duration limit) {
  if (server_ == nullptr) return;
  streams_->WaitUntilEmpty(limit);
  server_->Shutdown(gpr_inf_past(GPR_CLOCK_MONOTONIC));  // cuts what is left
  server_->Wait();
  CHECK(streams_->WaitUntilEmpty(absl::Seconds(30)), "a worker's stream does not end");
  server_.reset();
}

}  // namespace

std::unique_ptr<WorkerLink> WorkerLink::Create(WorkerLinkOptions options) {
  return std::make_unique<WorkerLinkServer>(std::move(options));
}

}  // namespace atl::coordinator
