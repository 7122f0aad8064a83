#include "coordinator/frontend/http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <ctime>

#include "coordinator/frontend/http/http_text.h"

namespace atl {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Small enough that a reading turn delays nobody else's writes, large enough to be quick.
constexpr size_t kBodyTurnBytes = 256 << 10;
constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kInboxBytesMax = 64 << 10;
constexpr size_t kDiscardTurnBytes = 64 << 10;
constexpr size_t kDiscardBytesMax = 64 << 20;
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
  const std::string address = peer.address().to_string();
  return peer.address().is_v6() ? fmt::format("[{}]:{}", address, peer.port())
                                : fmt::format("{}:{}", address, peer.port());
}

RequestLimits LimitsOf(const HttpOptions& options) {
  return {.header_bytes_max = options.header_bytes_max,
          .headers_max = options.headers_max,
          .target_bytes_max = options.target_bytes_max,
          .body_bytes_max = options.body_bytes_max};
}

}  // namespace

Connection::Connection(ConnectionHost& host, tcp::socket socket)
    : host_(host), socket_(std::move(socket)), timer_(host.io) {
  ErrorCode ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  if (host_.options.send_buffer_bytes > 0) {
    socket_.set_option(asio::socket_base::send_buffer_size(host_.options.send_buffer_bytes),
                       ignored);
  }
  socket_.non_blocking(true, ignored);
}

void Connection::Start() { BecomeIdle(); }

void Connection::TurnAway(int status, const std::string& message) { Refuse(status, message); }

void Connection::Close() {
  if (state_ == State::kClosed) return;
  if (state_ == State::kAnswering && !answered_) {
    // Posted: the handler may be the one who is calling.
    asio::post(host_.io,
               [handler = host_.handler, id = exchange_] { handler->OnGone(ExchangeId{id}); });
  }
  state_ = State::kClosed;
  CountBody(0);
  ErrorCode ignored;
  socket_.close(ignored);
  timer_.cancel();
  if (exchange_ != 0) host_.exchanges.erase(exchange_);
  --host_.num_connections;
  const auto self = shared_from_this();  // until this call returns
  host_.connections.erase(self);
  asio::post(host_.io, [self] {});  // and its caller's
  if (host_.on_close) host_.on_close();
}

void Connection::StopSoon() {
  keep_alive_ = false;
  if (state_ == State::kIdle || state_ == State::kReading) Close();
}

// Time: one timer for whatever is awaited; it is let run where the deadline only moves on.

void Connection::Arm(milliseconds limit) {
  deadline_ = steady_clock::now() + limit;
  if (!timer_runs_ || timer_.expiry() > deadline_) StartTimer();
}

// Progress buys time, but only as much as a line of the least speed would need.
void Connection::Extend(size_t bytes, milliseconds limit) {
  const std::chrono::duration<double> bought(static_cast<double>(bytes) /
                                             static_cast<double>(host_.options.bytes_per_s_min));
  const Time bought_until = deadline_ + std::chrono::duration_cast<steady_clock::duration>(bought);
  deadline_ = std::min(bought_until, steady_clock::now() + limit);
}

void Connection::Disarm() { deadline_ = Time::max(); }

void Connection::StartTimer() {
  timer_runs_ = true;
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](ErrorCode error) {
    if (!error && self->state_ != State::kClosed) self->OnTimer();
  });
}

void Connection::OnTimer() {
  timer_runs_ = false;
  if (deadline_ == Time::max()) return;
  if (steady_clock::now() < deadline_) return StartTimer();
  const bool is_late = state_ == State::kReading && reader_->begun();
  if (is_late) return Refuse(408, "The request did not arrive in time.");
  Close();  // idle, lingering, or a client that does not take its answer
}

void Connection::Watch() {
  if (watching_ || state_ == State::kClosed) return;
  watching_ = true;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](ErrorCode error) {
    self->watching_ = false;
    if (self->state_ == State::kClosed) return;
    error ? self->Close() : self->OnReadable();
  });
}

void Connection::OnReadable() {
  switch (state_) {
    case State::kIdle:
    case State::kReading:
      return ReadRequest();
    case State::kAnswering:
      // The next request, ahead of its turn; more than fits is left to the kernel.
      return ReceiveIntoInbox(kInboxBytesMax - inbox_.size());
    case State::kLingering:
      return Discard();
    case State::kClosed:
      return;
  }
}

// False: nothing has come, and the connection watches or is closed. A client that has shut its
// side counts as gone.
bool Connection::Receive(std::span<char> room, size_t* size) {
  ErrorCode error;
  *size = socket_.read_some(asio::buffer(room.data(), room.size()), error);
  if (!error) return true;
  *size = 0;
  IsTransient(error) ? Watch() : Close();
  return false;
}

void Connection::ReceiveIntoInbox(size_t bytes_max) {
  if (bytes_max == 0) return;
  const size_t before = inbox_.size();
  inbox_.resize(before + std::min(bytes_max, kReadBytes));
  size_t size = 0;
  const bool received = Receive({inbox_.data() + before, inbox_.size() - before}, &size);
  inbox_.resize(before + size);
  if (inbox_.empty()) std::string().swap(inbox_);
  if (!received) return;
  state_ == State::kAnswering ? Watch() : TakeInbox();
}

void Connection::ReadRequest() {
  const std::span<char> room = reader_ ? reader_->Room(kBodyTurnBytes) : std::span<char>();
  if (room.empty()) return ReceiveIntoInbox(kReadBytes);
  size_t size = 0;
  const bool received = Receive(room, &size);
  if (state_ == State::kClosed) return;
  reader_->Filled(size);
  if (received) Advance(size);
}

void Connection::TakeInbox() {
  if (state_ == State::kIdle) {
    state_ = State::kReading;
    reader_.emplace(LimitsOf(host_.options));
    in_body_ = false;
    Arm(host_.options.header_timeout);
  }
  const size_t taken = reader_->Take(std::string_view(inbox_).substr(inbox_taken_));
  inbox_taken_ += taken;
  if (inbox_taken_ == inbox_.size()) {
    std::string().swap(inbox_);
    inbox_taken_ = 0;
  }
  Advance(taken);
}

// After `bytes` of the request.
void Connection::Advance(size_t bytes) {
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

void Connection::CountBody(size_t bytes) {
  host_.body_bytes += bytes - counted_body_;
  counted_body_ = bytes;
}

void Connection::Discard() {
  std::array<char, kDiscardTurnBytes> scratch;
  size_t size = 0;
  if (!Receive(scratch, &size)) return;
  discarded_ += size;
  discarded_ > kDiscardBytesMax ? Close() : Watch();
}

void Connection::BecomeIdle() {
  state_ = State::kIdle;
  std::string().swap(outbox_);
  sent_ = 0;
  if (!inbox_.empty()) return TakeInbox();
  Arm(host_.options.idle_timeout);
  Watch();
}

void Connection::OnRequest() {
  keep_alive_ = reader_->keep_alive();
  minor_version_ = reader_->minor_version();
  HttpRequest request = reader_->Release();
  reader_.reset();
  CountBody(0);
  state_ = State::kAnswering;
  answered_ = streaming_ = backlogged_ = false;
  head_only_ = request.method == "HEAD";
  if (head_only_) request.method = "GET";
  request.client = ClientOf(socket_);
  Disarm();
  exchange_ = host_.next_exchange++;
  host_.exchanges.emplace(exchange_, shared_from_this());
  Watch();
  host_.handler->OnRequest(ExchangeId{exchange_}, std::move(request));
}

// The rest of what the client sends cannot be understood: one answer, then the end.
void Connection::Refuse(int status, const std::string& message) {
  state_ = State::kAnswering;
  exchange_ = 0;
  refused_ = true;
  answered_ = streaming_ = backlogged_ = head_only_ = keep_alive_ = false;
  Disarm();
  const HttpAnswer answer = host_.handler->OnRefused(status, message);
  reader_.reset();
  CountBody(0);
  std::string().swap(inbox_);
  SendWhole(answer);
}

void Connection::Answer(const HttpAnswer& answer) {
  if (state_ != State::kAnswering || answered_ || streaming_) return;
  SendWhole(answer);
}

void Connection::SendWhole(const HttpAnswer& answer) {
  answered_ = true;
  if (host_.draining.load()) keep_alive_ = false;
  Send(FormatHead({.status = answer.status,
                   .body_bytes = answer.body.size(),
                   .keep_alive = keep_alive_,
                   .content_type = answer.content_type,
                   .headers = answer.headers},
                  std::time(nullptr)));
  if (!head_only_) Send(answer.body);
}

void Connection::BeginStream(const std::string& content_type, HttpHeaders headers) {
  if (state_ != State::kAnswering || answered_ || streaming_) return;
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

void Connection::Write(const std::string& bytes) {
  if (state_ != State::kAnswering || answered_ || !streaming_ || head_only_) return;
  Send(chunked_ ? FormatChunk(bytes) : bytes);
  if (Backlog() > host_.options.outbox_bytes_max) Close();
}

void Connection::EndStream() {
  if (state_ != State::kAnswering || answered_ || !streaming_) return;
  answered_ = true;
  Send(chunked_ && !head_only_ ? kLastChunk : "");
}

// Leaves at the end of the turn, with all else that the turn has to say.
void Connection::Send(std::string_view bytes) {
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

void Connection::Flush() {
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
  if (state_ == State::kAnswering) {
    deadline_ == Time::max() ? Arm(host_.options.write_timeout)
                             : Extend(left_now, host_.options.write_timeout);
  }
  flush_pending_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](ErrorCode failed) {
    failed ? self->Close() : self->Flush();
  });
}

void Connection::OnFlushed() {
  outbox_.clear();
  sent_ = 0;
  if (state_ != State::kAnswering) return;
  Disarm();
  if (answered_) return FinishExchange();
  if (std::exchange(backlogged_, false) && streaming_) {
    host_.handler->OnDrained(ExchangeId{exchange_});
  }
}

void Connection::FinishExchange() {
  if (exchange_ != 0) host_.exchanges.erase(exchange_);
  exchange_ = 0;
  if (keep_alive_) return BecomeIdle();
  ErrorCode ignored;
  if (!refused_ && inbox_.empty() && socket_.available(ignored) == 0) return Close();
  // Closing while the client still sends would reset the connection and might take the answer
  // with it: say that all is said, then listen to the rest for a moment.
  state_ = State::kLingering;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  Arm(kLingerTimeout);
  Watch();
}

}  // namespace atl
