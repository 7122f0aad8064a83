#include "coordinator/http/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <ctime>
#include <optional>
#include <span>
#include <sstream>
#include <string_view>
#include <utility>

#include "coordinator/http/http_text.h"
#include "coordinator/http/request_reader.h"

namespace atl::coordinator {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Small enough that a reading turn delays nobody else's writes, large enough to be quick.
constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kInboxBytesMax = 64 << 10;
constexpr milliseconds kLingerTimeout{2'000};
constexpr size_t kSmallBodyBytes = 64 << 10;  // let through where large ones are turned away
constexpr size_t kSentBytesKept = 64 << 10;

bool IsTransient(const ErrorCode& error) {
  return error == asio::error::would_block || error == asio::error::try_again ||
         error == asio::error::interrupted;
}

// "" where the client has left already.
std::string ClientOf(const tcp::socket& socket) {
  ErrorCode error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return "";
  std::ostringstream text;
  text << peer;
  return text.str();
}

class TcpConnection : public Connection, public std::enable_shared_from_this<TcpConnection> {
 public:
  TcpConnection(ConnectionHost& host, int socket);

  void Start() override { BecomeIdle(); }
  void TurnAway(int status, const std::string& message) override { Refuse(status, message); }
  void Respond(const HttpResponse& response) override {
    if (IsOwed() && !streaming_) SendComplete(response);
  }
  void BeginStream(const std::string& content_type, HttpHeaders headers) override;
  void Write(const std::string& bytes) override;
  void EndStream() override;
  size_t Backlog() const override { return outbox_.size() - sent_; }
  void StopSoon() override;
  void Close() override;

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class State { kIdle, kReading, kResponding, kLingering, kClosed };

  bool IsOwed() const { return state_ == State::kResponding && !responded_; }

  void Arm(std::chrono::milliseconds limit);
  void Extend(size_t bytes, std::chrono::milliseconds limit);
  void Disarm() { deadline_ = Time::max(); }
  void StartTimer();
  void OnTimer();

  void Watch();
  void OnReadable();
  bool Receive(std::span<char> free, size_t* size);
  void Take(std::string_view bytes);
  void Advance(size_t bytes);
  void CountBody(size_t bytes);
  void BecomeIdle();
  void OnRequest();
  void Refuse(int status, const std::string& message);

  void SendComplete(const HttpResponse& response);
  void Send(std::string_view bytes);
  void Flush();
  void OnFlushed();
  void FinishCall();

  ConnectionHost& host_;
  tcp::socket socket_;
  State state_ = State::kIdle;
  bool watching_ = false;

  asio::steady_timer timer_;
  Time deadline_ = Time::max();
  bool timer_runs_ = false;

  // The request that is being read, and bytes that came ahead of their turn.
  std::optional<RequestReader> reader_;
  std::string inbox_;
  size_t counted_body_ = 0;  // in ConnectionHost::body_bytes

  // The exchange under way.
  uint64_t call_ = 0;
  int minor_version_ = 1;
  bool in_body_ = false;
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool streaming_ = false;
  bool chunked_ = false;
  bool refused_ = false;     // what follows cannot be understood
  bool responded_ = false;   // all of the response is in the outbox
  bool backlogged_ = false;  // more than backlog_bytes has waited; OnDrained is owed

  std::string outbox_;
  size_t sent_ = 0;             // bytes of outbox_ that have left
  bool flush_pending_ = false;  // posted, or waiting for the socket
};

TcpConnection::TcpConnection(ConnectionHost& host, int socket)
    : host_(host), socket_(host.io), timer_(host.io) {
  sockaddr address{};
  socklen_t size = sizeof(address);
  ::getsockname(socket, &address, &size);
  ErrorCode ignored;  // what failed here fails again when the socket is read
  socket_.assign(address.sa_family == AF_INET6 ? tcp::v6() : tcp::v4(), socket, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  if (host_.options.send_buffer_bytes > 0) {
    socket_.set_option(asio::socket_base::send_buffer_size(host_.options.send_buffer_bytes),
                       ignored);
  }
  socket_.non_blocking(true, ignored);
}

void TcpConnection::Close() {
  if (state_ == State::kClosed) return;
  if (IsOwed()) {
    // Posted: the handler may be the one who is calling.
    asio::post(host_.io, [handler = host_.handler, id = call_] { handler->OnGone(CallId{id}); });
  }
  state_ = State::kClosed;
  CountBody(0);
  ErrorCode ignored;
  socket_.close(ignored);
  timer_.cancel();
  if (call_ != 0) host_.calls.erase(call_);
  --host_.num_connections;
  const auto self = shared_from_this();  // until this call returns
  host_.connections.erase(self);
  asio::post(host_.io, [self] {});  // and its caller's
  if (host_.on_close) host_.on_close();
}

void TcpConnection::StopSoon() {
  keep_alive_ = false;
  if (state_ == State::kIdle || state_ == State::kReading) Close();
}

// Time: one timer for whatever is awaited; it is let run where the deadline only moves on.

void TcpConnection::Arm(milliseconds limit) {
  deadline_ = steady_clock::now() + limit;
  if (!timer_runs_ || timer_.expiry() > deadline_) StartTimer();
}

// Progress buys time, but only as much as a line of the least speed would need.
void TcpConnection::Extend(size_t bytes, milliseconds limit) {
  const std::chrono::duration<double> bought(static_cast<double>(bytes) /
                                             static_cast<double>(host_.options.bytes_per_s_min));
  const Time bought_until = deadline_ + std::chrono::duration_cast<steady_clock::duration>(bought);
  deadline_ = std::min(bought_until, steady_clock::now() + limit);
}

void TcpConnection::StartTimer() {
  timer_runs_ = true;
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](ErrorCode error) {
    if (!error && self->state_ != State::kClosed) self->OnTimer();
  });
}

void TcpConnection::OnTimer() {
  timer_runs_ = false;
  if (deadline_ == Time::max()) return;
  if (steady_clock::now() < deadline_) return StartTimer();
  const bool is_late = state_ == State::kReading && reader_->begun();
  if (is_late) return Refuse(408, "The request did not arrive in time.");
  Close();  // idle, lingering, or a client that does not take its response
}

void TcpConnection::Watch() {
  if (watching_ || state_ == State::kClosed) return;
  watching_ = true;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](ErrorCode error) {
    self->watching_ = false;
    if (self->state_ == State::kClosed) return;
    error ? self->Close() : self->OnReadable();
  });
}

void TcpConnection::OnReadable() {
  // While it answers: the next request, ahead of its turn; more than fits is left to the kernel.
  const size_t free = kInboxBytesMax - inbox_.size();
  if (state_ == State::kResponding && free == 0) return;
  std::array<char, kReadBytes> bytes;
  size_t size = 0;
  if (!Receive({bytes.data(), state_ == State::kResponding ? free : bytes.size()}, &size)) return;
  if (state_ == State::kLingering) return Watch();
  if (state_ != State::kResponding) return Take({bytes.data(), size});
  inbox_.append(bytes.data(), size);
  Watch();
}

// False: nothing has come, and the connection watches or is closed. A client that has shut its
// side counts as gone.
bool TcpConnection::Receive(std::span<char> free, size_t* size) {
  ErrorCode error;
  *size = socket_.read_some(asio::buffer(free.data(), free.size()), error);
  if (!error) return true;
  IsTransient(error) ? Watch() : Close();
  return false;
}

// All of a request that has not ended; after it, what comes ahead of its turn waits.
void TcpConnection::Take(std::string_view bytes) {
  if (state_ == State::kIdle) {
    state_ = State::kReading;
    reader_.emplace(host_.options);
    in_body_ = false;
    Arm(host_.options.header_timeout);
  }
  const size_t taken = reader_->Take(bytes);
  inbox_ = bytes.substr(taken);
  Advance(taken);
}

// After `bytes` of the request.
void TcpConnection::Advance(size_t bytes) {
  if (const auto& refusal = reader_->refusal()) return Refuse(refusal->status, refusal->message);
  CountBody(reader_->body_bytes());
  if (counted_body_ > kSmallBodyBytes && host_.body_bytes > host_.options.bodies_bytes_max) {
    return Refuse(503, "The server is reading too many large requests; try again.");
  }
  if (reader_->done()) return OnRequest();
  if (!reader_->begun()) {
    Arm(host_.options.idle_timeout);
  } else if (in_body_) {
    Extend(bytes, host_.options.body_timeout);
  } else if (reader_->in_body()) {
    in_body_ = true;
    Arm(host_.options.body_timeout);
    if (reader_->expects_continue() && reader_->body_bytes() == 0) {
      Send("HTTP/1.1 100 Continue\r\n\r\n");
    }
  }
  Watch();
}

void TcpConnection::CountBody(size_t bytes) {
  host_.body_bytes += bytes - counted_body_;
  counted_body_ = bytes;
}

void TcpConnection::BecomeIdle() {
  state_ = State::kIdle;
  std::string().swap(outbox_);
  sent_ = 0;
  if (!inbox_.empty()) return Take(std::exchange(inbox_, {}));
  Arm(host_.options.idle_timeout);
  Watch();
}

void TcpConnection::OnRequest() {
  keep_alive_ = reader_->keep_alive();
  minor_version_ = reader_->minor_version();
  HttpRequest request = reader_->Release();
  reader_.reset();
  CountBody(0);
  state_ = State::kResponding;
  responded_ = streaming_ = backlogged_ = false;
  head_only_ = request.method == "HEAD";
  if (head_only_) request.method = "GET";
  request.client = ClientOf(socket_);
  Disarm();
  call_ = host_.next_call++;
  host_.calls.emplace(call_, shared_from_this());
  Watch();
  host_.handler->OnRequest(CallId{call_}, std::move(request));
}

// The rest of what the client sends cannot be understood: one response, then the end.
void TcpConnection::Refuse(int status, const std::string& message) {
  state_ = State::kResponding;
  call_ = 0;
  refused_ = true;
  responded_ = streaming_ = backlogged_ = head_only_ = keep_alive_ = false;
  Disarm();
  const HttpResponse response = host_.handler->OnRefused(status, message);
  reader_.reset();
  CountBody(0);
  std::string().swap(inbox_);
  SendComplete(response);
}

void TcpConnection::SendComplete(const HttpResponse& response) {
  responded_ = true;
  if (host_.draining.load()) keep_alive_ = false;
  Send(FormatHead({.status = response.status,
                   .body_bytes = response.body.size(),
                   .keep_alive = keep_alive_,
                   .content_type = response.content_type,
                   .headers = response.headers},
                  std::time(nullptr)));
  if (!head_only_) Send(response.body);
}

void TcpConnection::BeginStream(const std::string& content_type, HttpHeaders headers) {
  if (!IsOwed() || streaming_) return;
  streaming_ = true;
  chunked_ = minor_version_ > 0;
  if (!chunked_ || host_.draining.load()) keep_alive_ = false;
  headers.emplace_back("Cache-Control", "no-cache");
  headers.emplace_back("X-Accel-Buffering", "no");
  Send(FormatHead({.framing = chunked_ ? Framing::kChunked : Framing::kUntilClose,
                   .keep_alive = keep_alive_,
                   .content_type = content_type,
                   .headers = std::move(headers)},
                  std::time(nullptr)));
}

void TcpConnection::Write(const std::string& bytes) {
  if (!IsOwed() || !streaming_ || head_only_) return;
  Send(chunked_ ? FormatChunk(bytes) : bytes);
  if (Backlog() > host_.options.outbox_bytes_max) Close();
}

void TcpConnection::EndStream() {
  if (!IsOwed() || !streaming_) return;
  responded_ = true;
  Send(chunked_ && !head_only_ ? kLastChunk : "");
}

// Leaves at the end of the turn, with all else that the turn has to say.
void TcpConnection::Send(std::string_view bytes) {
  if (sent_ > kSentBytesKept && sent_ > outbox_.size() / 2) {
    outbox_.erase(0, sent_);
    sent_ = 0;
  }
  outbox_ += bytes;
  if (Backlog() > host_.options.backlog_bytes) backlogged_ = true;
  if (flush_pending_) return;
  flush_pending_ = true;
  asio::post(host_.io, [self = shared_from_this()] { self->Flush(); });
}

void TcpConnection::Flush() {
  flush_pending_ = false;
  if (state_ == State::kClosed) return;
  size_t left_now = 0;
  ErrorCode error;
  while (Backlog() > 0 && !error) {
    const size_t size = socket_.write_some(asio::buffer(outbox_.data() + sent_, Backlog()), error);
    sent_ += size;
    left_now += size;
  }
  if (error && !IsTransient(error)) return Close();
  if (Backlog() == 0) return OnFlushed();
  if (state_ == State::kResponding) {
    deadline_ == Time::max() ? Arm(host_.options.write_timeout)
                             : Extend(left_now, host_.options.write_timeout);
  }
  flush_pending_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](ErrorCode failed) {
    failed ? self->Close() : self->Flush();
  });
}

void TcpConnection::OnFlushed() {
  outbox_.clear();
  sent_ = 0;
  if (state_ != State::kResponding) return;
  Disarm();
  if (responded_) return FinishCall();
  if (std::exchange(backlogged_, false) && streaming_) {
    host_.handler->OnDrained(CallId{call_});
  }
}

void TcpConnection::FinishCall() {
  if (call_ != 0) host_.calls.erase(call_);
  call_ = 0;
  if (keep_alive_) return BecomeIdle();
  ErrorCode ignored;
  if (!refused_ && inbox_.empty() && socket_.available(ignored) == 0) return Close();
  // Closing while the client still sends would reset the connection and might take the response
  // with it: say that all is said, then listen to the rest for a moment.
  state_ = State::kLingering;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  Arm(kLingerTimeout);
  Watch();
}

}  // namespace

std::shared_ptr<Connection> MakeConnection(ConnectionHost& host, int socket) {
  return std::make_shared<TcpConnection>(host, socket);
}

}  // namespace atl::coordinator
