#include "worker/rpc/coordinator_client.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/log/log.h"
#include "common/step/limits.h"
#include "common/step/step_codec.h"
#include "proto/atoll/v1/worker.grpc.pb.h"

namespace atl::worker {
namespace {

constexpr absl::Duration kCloseLimit = absl::Seconds(2);

absl::Status ToStatus(const grpc::Status& status) {
  if (status.ok()) return Unavailable("the coordinator closed the stream");
  return MakeStatus(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

// One dial and the stream it opens. gRPC allows one write at a time, and a read may complete before
// the write that it answers: hence a queue and a flag. The coordinator bounds the queue by its
// steps in flight.
class Stream final
    : public grpc::ClientBidiReactor<::atollpb::v1::FromWorker, ::atollpb::v1::ToWorker> {
 public:
  Stream(std::unique_ptr<::atollpb::v1::WorkerControl::Stub> stub, WorkerHandler& handler)
      : stub_(std::move(stub)), handler_(handler) {
    stub_->async()->Join(&context_, this);
    AddHold();  // writes start outside of reactions; let go when the last read is done
    StartRead(&incoming_);
    StartCall();
  }

  void Send(::atollpb::v1::FromWorker message) {
    std::lock_guard lock(mutex_);
    if (over_ || closing_) return;
    outgoing_.push_back(std::move(message));
    Advance();
  }
  // Is `epoch` the one that this stream has started?
  bool Serves(Epoch epoch) {
    std::lock_guard lock(mutex_);
    return epoch_ == epoch;
  }
  // Sends what is queued and half-closes; the coordinator then ends the stream.
  void Close() {
    std::lock_guard lock(mutex_);
    closing_ = true;
    Advance();
  }
  void Cut() { context_.TryCancel(); }
  bool WaitUntilDone(absl::Duration limit) {
    std::unique_lock lock(mutex_);
    const auto done = [this] { return done_; };
    if (limit == absl::InfiniteDuration()) {
      done_came_.wait(lock, done);
      return true;
    }
    return done_came_.wait_for(lock, absl::ToChronoMilliseconds(limit), done);
  }

  // After WaitUntilDone: did the coordinator speak, how did it end, was this worker refused.
  bool spoken() const { return spoken_; }
  const absl::Status& end() const { return end_; }
  const absl::Status& refused() const { return refused_; }

  void OnReadDone(bool ok) override {
    const absl::Status delivered = ok ? Deliver() : absl::OkStatus();
    if (!delivered.ok()) {
      LOG_ERROR("the coordinator's message is refused: {}", MessageOf(delivered));
      Cut();
    }
    if (ok) return StartRead(&incoming_);
    {
      std::lock_guard lock(mutex_);
      over_ = true;
    }
    RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    write_in_flight_ = false;
    if (ok) {
      outgoing_.pop_front();
    } else {
      outgoing_.clear();  // the stream is broken; the read will say so
      over_ = true;
    }
    Advance();
  }

  void OnDone(const grpc::Status& status) override {
    std::lock_guard lock(mutex_);
    end_ = ToStatus(status);
    done_ = true;
    done_came_.notify_all();
  }

 private:
  // Requires mutex_.
  void Advance() {
    if (over_ || write_in_flight_) return;
    if (!outgoing_.empty()) {
      write_in_flight_ = true;
      StartWrite(&outgoing_.front());
    } else if (closing_ && !half_closed_) {
      half_closed_ = true;
      StartWritesDone();
    }
  }

  absl::Status Deliver();

  const std::unique_ptr<::atollpb::v1::WorkerControl::Stub> stub_;
  WorkerHandler& handler_;
  grpc::ClientContext context_;
  ::atollpb::v1::ToWorker incoming_;  // touched by reads only, which come one after another
  bool spoken_ = false;               // the same
  absl::Status refused_;              // the same

  std::mutex mutex_;
  std::condition_variable done_came_;
  std::deque<::atollpb::v1::FromWorker> outgoing_;
  bool write_in_flight_ = false;
  bool closing_ = false;
  bool half_closed_ = false;
  bool over_ = false;  // nothing can be written any more
  bool done_ = false;
  std::optional<Epoch> epoch_;
  absl::Status end_;
};

absl::Status Stream::Deliver() {
  using To = ::atollpb::v1::ToWorker;
  switch (incoming_.message_case()) {
    case To::kEpochStart: {
      absl::StatusOr<EpochStart> start = Decode(incoming_.epoch_start());
      if (!start.ok()) return start.status();
      spoken_ = true;
      {
        std::lock_guard lock(mutex_);
        epoch_ = start->epoch;
      }
      handler_.OnEpochStart(*std::move(start));
      return absl::OkStatus();
    }
    case To::kPlan: {
      absl::StatusOr<StepPlan> plan = Decode(incoming_.plan());
      if (!plan.ok()) return plan.status();
      spoken_ = true;
      handler_.OnPlan(*std::move(plan));
      return absl::OkStatus();
    }
    case To::kEpochEnd:
      handler_.OnEpochEnd(Decode(incoming_.epoch_end().epoch()), incoming_.epoch_end().reason());
      return absl::OkStatus();
    case To::kShutdown:
      handler_.OnShutdown();
      return absl::OkStatus();
    case To::kRefused:
      refused_ = Decode(incoming_.refused());
      return absl::OkStatus();
    case To::MESSAGE_NOT_SET:
      break;
  }
  return InvalidArgument("a message of a kind that this worker does not know");
}

class RedialingClient final : public CoordinatorClient {
 public:
  RedialingClient(CoordinatorClientOptions options, WorkerHandler& handler)
      : options_(std::move(options)), handler_(handler) {}

  ~RedialingClient() override {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
      if (stream_ != nullptr) {
        stream_->Close();
        if (!stream_->WaitUntilDone(kCloseLimit)) stream_->Cut();
      }
    }
    stopped_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void Start() override {
    CHECK(!thread_.joinable(), "a CoordinatorClient is started once");
    thread_ = std::thread([this] { Run(); });
  }
  void SendReady(const absl::StatusOr<WorkerReady>& ready, Epoch epoch, int32_t rank) override {
    ::atollpb::v1::FromWorker message;
    Encode(ready, epoch, rank, message.mutable_ready());
    Send(epoch, std::move(message));
  }
  void SendResult(const StepResult& result) override {
    ::atollpb::v1::FromWorker message;
    Encode(result, message.mutable_result());
    Send(result.epoch, std::move(message));
  }

 private:
  void Send(Epoch epoch, ::atollpb::v1::FromWorker message) {
    std::lock_guard lock(mutex_);
    if (stream_ != nullptr && stream_->Serves(epoch)) stream_->Send(std::move(message));
  }
  void Run();
  bool Dial();
  std::unique_ptr<::atollpb::v1::WorkerControl::Stub> NewStub() const;

  const CoordinatorClientOptions options_;
  WorkerHandler& handler_;
  absl::Status last_refusal_;  // of the dialling thread

  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  Stream* stream_ = nullptr;
  std::thread thread_;
};

// A channel of its own for every dial: no back-off of an earlier one, and the name is looked up
// again.
std::unique_ptr<::atollpb::v1::WorkerControl::Stub> RedialingClient::NewStub() const {
  const auto milliseconds = [](absl::Duration d) {
    return static_cast<int>(absl::ToInt64Milliseconds(d));
  };
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kStreamMessageBytesMax);
  arguments.SetMaxSendMessageSize(kStreamMessageBytesMax);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);  // how long one dial may take
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(options_.keepalive_interval));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(options_.keepalive_timeout));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return ::atollpb::v1::WorkerControl::NewStub(
      grpc::CreateCustomChannel(options_.address, grpc::InsecureChannelCredentials(), arguments));
}

void RedialingClient::Run() {
  LOG_INFO("dialling the coordinator at {}", options_.address);
  while (Dial()) {
    std::unique_lock lock(mutex_);
    const auto pause = absl::ToChronoMilliseconds(options_.redial_interval);
    if (stopped_.wait_for(lock, pause, [this] { return stop_; })) return;
  }
}

// Stays while the stream does. False: dial no more.
bool RedialingClient::Dial() {
  ::atollpb::v1::FromWorker hello;
  Encode(handler_.Hello(), hello.mutable_hello());
  Stream stream(NewStub(), handler_);
  {
    // The answer to Hello may be here before Send returns, so the stream is known first.
    std::lock_guard lock(mutex_);
    if (stop_) stream.Cut();
    stream_ = &stream;
    stream.Send(std::move(hello));
  }
  stream.WaitUntilDone(absl::InfiniteDuration());
  {
    std::lock_guard lock(mutex_);
    stream_ = nullptr;
    if (stop_) return false;
  }
  if (stream.spoken()) handler_.OnDisconnected(stream.end());
  const absl::Status& refused = stream.refused();
  if (refused.ok()) return true;
  if (!absl::IsUnavailable(refused)) {
    LOG_ERROR("the coordinator at {} refused this worker: {}", options_.address,
              MessageOf(refused));
    handler_.OnRefused(refused);
    return false;
  }
  if (refused != last_refusal_) {
    LOG_WARNING("the coordinator at {} has no place for this worker: {}; dialling on",
                options_.address, MessageOf(refused));
  }
  last_refusal_ = refused;
  return true;
}

}  // namespace

std::unique_ptr<CoordinatorClient> CoordinatorClient::Create(CoordinatorClientOptions options,
                                                             WorkerHandler& handler) {
  return std::make_unique<RedialingClient>(std::move(options), handler);
}

}  // namespace atl::worker
