#include "coordinator/frontend/http/http_server.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cctype>
#include <cstring>
#include <ctime>
#include <optional>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "common/base/check.h"
#include "common/log/log.h"
#include "coordinator/frontend/http/http_text.h"

namespace atl {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using std::chrono::milliseconds;

constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kLingerBytesMax = 64 << 20;
constexpr milliseconds kLingerTimeout{2'000};
constexpr milliseconds kAcceptPause{100};
constexpr milliseconds kTick{1'000};

// "" where the client has left already.
std::string ClientOf(const tcp::socket& socket) {
  ErrorCode error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return "";
  const std::string address = peer.address().to_string();
  return peer.address().is_v6() ? fmt::format("[{}]:{}", address, peer.port())
                                : fmt::format("{}:{}", address, peer.port());
}

}  // namespace

class Connection;

struct HttpServerImpl {
  explicit HttpServerImpl(HttpOptions o)
      : options(std::move(o)), acceptor(io), pause(io), tick(io) {}

  void Accept();
  void Tick();
  Connection* Find(ExchangeId id);

  const HttpOptions options;
  asio::io_context io{1};
  tcp::acceptor acceptor;
  asio::steady_timer pause;  // after a failed accept; then until the grace of Stop is over
  asio::steady_timer tick;
  HttpHandler* handler = nullptr;
  std::unordered_set<std::shared_ptr<Connection>> connections;
  std::unordered_map<uint64_t, Connection*> exchanges;
  uint64_t next_exchange = 1;
  std::atomic<int> num_connections{0};
  int port = 0;
  bool stopping = false;
  std::thread thread;
};

// One client. (In one file with the server, because Beast is slow to compile.) It lives in
// HttpServerImpl::connections and in the handlers of its pending operations, and acts on the
// server's thread only. A read is always pending, so that a client that leaves is noticed.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(HttpServerImpl& server, tcp::socket socket)
      : server_(server),
        socket_(std::move(socket)),
        timer_(server.io),
        buffer_(server.options.header_bytes_max + server.options.body_bytes_max) {}

  void Start() {
    ErrorCode ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    if (server_.options.send_buffer_bytes > 0) {
      socket_.set_option(asio::socket_base::send_buffer_size(server_.options.send_buffer_bytes),
                         ignored);
    }
    socket_.non_blocking(true, ignored);
    BecomeIdle();
  }

  void Answer(const HttpAnswer& answer) {
    if (state_ != State::kAnswering || answered_) return;
    SendWhole(answer);
  }

  void BeginStream(const std::string& content_type, HttpHeaders headers) {
    if (state_ != State::kAnswering || answered_ || streaming_) return;
    streaming_ = true;
    chunked_ = version_ >= 11;
    if (!chunked_) keep_alive_ = false;
    headers.emplace_back("Cache-Control", "no-cache");
    headers.emplace_back("X-Accel-Buffering", "no");
    Send(FormatHead({.framing = chunked_ ? Framing::kChunked : Framing::kUntilClose,
                     .keep_alive = keep_alive_,
                     .content_type = content_type,
                     .headers = std::move(headers)},
                    std::time(nullptr)));
  }

  void Write(const std::string& bytes) {
    if (state_ != State::kAnswering || answered_ || !streaming_) return;
    Send(chunked_ ? FormatChunk(bytes) : bytes);
    if (pending_.size() > server_.options.outbox_bytes_max) Close();
  }

  void EndStream() {
    if (state_ != State::kAnswering || answered_ || !streaming_) return;
    answered_ = true;
    Send(chunked_ ? std::string(kLastChunk) : "");
  }

  size_t Backlog() const { return pending_.size() + (write_in_flight_ ? writing_.size() : 0); }

  // What is idle goes at once, what is answering after its answer.
  void StopSoon() {
    keep_alive_ = false;
    if (state_ == State::kIdle || state_ == State::kReading) Close();
  }

  void Close() {
    if (state_ == State::kClosed) return;
    const bool owed = state_ == State::kAnswering && !answered_;
    if (exchange_ != 0) server_.exchanges.erase(exchange_);
    if (owed) {
      // Posted: the handler may be the one who is calling.
      asio::post(server_.io,
                 [handler = server_.handler, id = exchange_] { handler->OnGone(ExchangeId{id}); });
    }
    state_ = State::kClosed;
    ErrorCode ignored;
    socket_.close(ignored);
    timer_.cancel();
    server_.connections.erase(shared_from_this());
    --server_.num_connections;
    if (server_.stopping && server_.connections.empty()) server_.pause.cancel();
  }

 private:
  enum class State { kIdle, kReading, kAnswering, kLingering, kClosed };

  void BecomeIdle() {
    state_ = State::kIdle;
    if (server_.stopping) return Close();
    Arm(server_.options.idle_timeout);
    if (buffer_.size() > 0) return ReadHeader();
    Watch();
  }

  // One timer for whatever is awaited; arming it again forgets the last.
  void Arm(milliseconds limit) {
    const uint64_t turn = ++timer_turn_;
    timer_.expires_after(limit);
    timer_.async_wait([self = shared_from_this(), turn](ErrorCode error) {
      if (!error && turn == self->timer_turn_) self->OnTimer();
    });
  }
  void Disarm() {
    ++timer_turn_;
    timer_.cancel();
  }

  void OnTimer() {
    if (state_ == State::kReading) return Refuse(408, "The request did not arrive in time.");
    Close();  // idle, lingering, or a client that does not take its answer
  }

  // Waits until the client sends or leaves, whatever the connection does meanwhile.
  void Watch() {
    if (watching_) return;
    watching_ = true;
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](ErrorCode error) {
      self->watching_ = false;
      self->OnReadable(error);
    });
  }

  void OnReadable(ErrorCode error) {
    if (state_ == State::kClosed || state_ == State::kReading) return;
    if (error) return Close();
    if (state_ == State::kIdle) return ReadHeader();
    std::array<char, kReadBytes> scratch;
    const size_t size = socket_.read_some(asio::buffer(scratch), error);
    if (error == asio::error::would_block || error == asio::error::interrupted) return Watch();
    if (error) return Close();
    if (state_ == State::kLingering) {
      // Thrown away: a read that was given up for taking too long may still own buffer_.
      lingered_ += size;
      if (lingered_ > kLingerBytesMax) return Close();
    } else {
      if (size > buffer_.max_size() - buffer_.size()) return Close();
      // The next request, ahead of its turn.
      std::memcpy(buffer_.prepare(size).data(), scratch.data(), size);
      buffer_.commit(size);
    }
    Watch();
  }

  void ReadHeader() {
    state_ = State::kReading;
    Arm(server_.options.header_timeout);
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(server_.options.header_bytes_max));
    parser_->body_limit(server_.options.body_bytes_max);
    http::async_read_header(socket_, buffer_, *parser_,
                            [self = shared_from_this()](ErrorCode error, size_t) {
                              if (self->state_ != State::kReading) return;
                              error ? self->OnReadError(error) : self->OnHeader();
                            });
  }

  void OnHeader() {
    version_ = parser_->get().version();
    Arm(server_.options.body_timeout);
    const auto expect = parser_->get()[http::field::expect];
    if (boost::beast::iequals(expect, "100-continue") && !parser_->is_done()) {
      Send("HTTP/1.1 100 Continue\r\n\r\n");
    }
    http::async_read(socket_, buffer_, *parser_,
                     [self = shared_from_this()](ErrorCode error, size_t) {
                       if (self->state_ != State::kReading) return;
                       error ? self->OnReadError(error) : self->OnRequest();
                     });
  }

  void OnReadError(ErrorCode error) {
    if (error == http::error::header_limit) {
      return Refuse(431, fmt::format("The request's header is larger than {} bytes.",
                                     server_.options.header_bytes_max));
    }
    if (error == http::error::body_limit || error == http::error::buffer_overflow) {
      return Refuse(413, fmt::format("The request's body is larger than {} bytes.",
                                     server_.options.body_bytes_max));
    }
    const bool malformed =
        error.category() == http::make_error_code(http::error::bad_method).category();
    if (malformed && error != http::error::end_of_stream && error != http::error::partial_message) {
      return Refuse(400, "The request is not valid HTTP.");
    }
    Close();
  }

  // The rest of what the client sends cannot be understood: one answer, then the end.
  void Refuse(int status, const std::string& message) {
    state_ = State::kAnswering;
    exchange_ = 0;
    refused_ = true;
    answered_ = streaming_ = head_only_ = keep_alive_ = false;
    SendWhole(server_.handler->OnRefused(status, message));
  }

  void OnRequest() {
    auto message = parser_->release();
    parser_.reset();
    state_ = State::kAnswering;
    answered_ = streaming_ = backlogged_ = false;
    keep_alive_ = message.keep_alive() && !server_.stopping;
    head_only_ = message.method() == http::verb::head;
    Disarm();
    exchange_ = server_.next_exchange++;
    server_.exchanges.emplace(exchange_, this);
    Watch();
    const auto target = message.target();
    HttpRequest request;
    request.method = head_only_ ? "GET" : std::string(message.method_string());
    request.path = std::string(target.substr(0, target.find('?')));
    for (const auto& field : message) {
      std::string name(field.name_string());
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      request.headers.emplace_back(std::move(name), std::string(field.value()));
    }
    request.body = std::move(message.body());
    request.client = ClientOf(socket_);
    server_.handler->OnRequest(ExchangeId{exchange_}, std::move(request));
  }

  void SendWhole(const HttpAnswer& answer) {
    answered_ = true;
    Send(FormatHead({.status = answer.status,
                     .body_bytes = answer.body.size(),
                     .keep_alive = keep_alive_,
                     .content_type = answer.content_type,
                     .headers = answer.headers},
                    std::time(nullptr)) +
         (head_only_ ? "" : answer.body));
  }

  // What comes while a write is under way leaves together with the next.
  void Send(const std::string& bytes) {
    pending_ += bytes;
    backlogged_ = backlogged_ || Backlog() > server_.options.backlog_bytes;
    if (!write_in_flight_) Flush();
  }

  void Flush() {
    if (pending_.empty()) {
      if (state_ == State::kAnswering && answered_) return FinishExchange();
      if (std::exchange(backlogged_, false) && streaming_) {
        server_.handler->OnDrained(ExchangeId{exchange_});
      }
      return;
    }
    writing_.clear();
    writing_.swap(pending_);
    write_in_flight_ = true;
    if (state_ == State::kAnswering) Arm(server_.options.write_timeout);
    asio::async_write(socket_, asio::buffer(writing_),
                      [self = shared_from_this()](ErrorCode error, size_t) {
                        self->write_in_flight_ = false;
                        if (self->state_ == State::kClosed) return;
                        if (error) return self->Close();
                        if (self->state_ == State::kAnswering) self->Disarm();
                        self->Flush();
                      });
  }

  void FinishExchange() {
    if (exchange_ != 0) server_.exchanges.erase(exchange_);
    exchange_ = 0;
    if (keep_alive_) return BecomeIdle();
    if (!refused_) return Close();
    // Closing while the client still sends would reset the connection and might take the answer
    // with it: say that all is said, then listen to the rest for a moment.
    state_ = State::kLingering;
    ErrorCode ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    Arm(kLingerTimeout);
    Watch();
  }

  HttpServerImpl& server_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  State state_ = State::kIdle;
  bool watching_ = false;
  uint64_t timer_turn_ = 0;
  size_t lingered_ = 0;

  // The exchange under way.
  uint64_t exchange_ = 0;
  unsigned version_ = 11;
  bool keep_alive_ = false;
  bool head_only_ = false;
  bool streaming_ = false;
  bool chunked_ = false;
  bool refused_ = false;   // what follows cannot be understood
  bool answered_ = false;  // all of the answer is in the outbox

  std::string pending_;
  std::string writing_;
  bool write_in_flight_ = false;
  bool backlogged_ = false;  // more than backlog_bytes has waited; OnDrained is owed
};

void HttpServerImpl::Accept() {
  acceptor.async_accept([this](ErrorCode error, tcp::socket socket) {
    if (stopping || error == asio::error::operation_aborted) return;
    if (error) {
      LOG_WARNING("accepting a connection failed: {}; next try in {} ms", error.message(),
                  kAcceptPause.count());
      pause.expires_after(kAcceptPause);
      pause.async_wait([this](ErrorCode aborted) {
        if (!aborted && !stopping) Accept();
      });
      return;
    }
    if (num_connections.load() < options.connections_max) {
      ++num_connections;
      const auto connection = std::make_shared<Connection>(*this, std::move(socket));
      connections.insert(connection);
      connection->Start();
    }
    Accept();
  });
}

void HttpServerImpl::Tick() {
  tick.expires_after(kTick);
  tick.async_wait([this](ErrorCode error) {
    if (error) return;
    handler->OnTick();
    Tick();
  });
}

Connection* HttpServerImpl::Find(ExchangeId id) {
  const auto it = exchanges.find(static_cast<uint64_t>(id));
  return it == exchanges.end() ? nullptr : it->second;
}

std::string_view HttpRequest::Header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (field == name) return value;
  }
  return "";
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(const HttpOptions& options) {
  if (options.port < 0 || options.port > 65535) {
    return InvalidArgument("port {}: expected 0 to 65535", options.port);
  }
  auto impl = std::make_unique<HttpServerImpl>(options);
  ErrorCode error;
  tcp::resolver resolver(impl->io);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return InvalidArgument("host {}: no such address ({})", options.host, error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  impl->acceptor.open(endpoint.protocol(), error);
  if (!error) impl->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) impl->acceptor.bind(endpoint, error);
  if (!error) impl->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return Unavailable("cannot listen on {}:{}: {}", options.host, options.port, error.message());
  }
  impl->port = impl->acceptor.local_endpoint(error).port();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<HttpServerImpl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { Stop(milliseconds(0)); }

void HttpServer::Start(HttpHandler& handler) {
  CHECK(impl_->handler == nullptr, "Start is called once");
  impl_->handler = &handler;
  impl_->Accept();
  impl_->Tick();
  impl_->thread = std::thread([impl = impl_.get()] { impl->io.run(); });
}

int HttpServer::port() const { return impl_->port; }
int HttpServer::num_connections() const { return impl_->num_connections.load(); }

void HttpServer::Post(std::function<void()> task) { asio::post(impl_->io, std::move(task)); }

void HttpServer::Answer(ExchangeId id, const HttpAnswer& answer) {
  if (Connection* connection = impl_->Find(id)) connection->Answer(answer);
}
void HttpServer::BeginStream(ExchangeId id, const std::string& content_type,
                             const HttpHeaders& headers) {
  if (Connection* connection = impl_->Find(id)) connection->BeginStream(content_type, headers);
}
void HttpServer::Write(ExchangeId id, const std::string& bytes) {
  if (Connection* connection = impl_->Find(id)) connection->Write(bytes);
}
void HttpServer::EndStream(ExchangeId id) {
  if (Connection* connection = impl_->Find(id)) connection->EndStream();
}

size_t HttpServer::Backlog(ExchangeId id) const {
  const Connection* connection = impl_->Find(id);
  return connection == nullptr ? 0 : connection->Backlog();
}

void HttpServer::Stop(milliseconds grace) {
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->io, [impl = impl_.get(), grace] {
    impl->stopping = true;
    ErrorCode ignored;
    impl->acceptor.close(ignored);
    const auto connections = impl->connections;  // StopSoon changes the set
    for (const auto& connection : connections) connection->StopSoon();
    impl->pause.expires_after(impl->connections.empty() ? milliseconds(0) : grace);
    impl->pause.async_wait([impl](ErrorCode) {
      const auto left = impl->connections;
      for (const auto& connection : left) connection->Close();
      asio::post(impl->io, [impl] { impl->io.stop(); });  // after the OnGone that Close posted
    });
  });
  impl_->thread.join();
}

}  // namespace atl
