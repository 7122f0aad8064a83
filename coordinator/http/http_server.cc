#include "coordinator/http/http_server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <system_error>
#include <thread>

#include "common/base/check.h"
#include "common/log/log.h"
#include "coordinator/http/connection.h"

namespace atl::coordinator {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using std::chrono::milliseconds;

constexpr int kAcceptsOfATurn = 64;
constexpr milliseconds kAcceptPause{100};
constexpr milliseconds kAcceptWarningPause{10'000};
constexpr milliseconds kTick{1'000};
// Beyond connections_max, for the moment that an response of 503 takes.
constexpr int kTurnedAwayMax = 256;

}  // namespace

struct HttpServerImpl {
  explicit HttpServerImpl(const HttpOptions& options)
      : host{.options = options, .io = io}, acceptor(io), pause(io), tick(io) {}

  void Accept();
  void AcceptAll();
  void OnAcceptFailed(const std::string& why);
  void Welcome(int socket);
  void Tick();
  void Stop(milliseconds grace);
  std::shared_ptr<Connection> Find(CallId id) const;

  asio::io_context io{1};
  ConnectionHost host;
  tcp::acceptor acceptor;
  asio::steady_timer pause;  // after a failed accept; then until the grace of Stop is over
  asio::steady_timer tick;
  std::chrono::steady_clock::time_point next_accept_warning;
  bool stopping = false;
  int port = 0;
  std::thread thread;
};

void HttpServerImpl::Accept() {
  acceptor.async_wait(tcp::acceptor::wait_read, [this](ErrorCode error) {
    if (!error && !stopping) AcceptAll();
  });
}

void HttpServerImpl::AcceptAll() {
  for (int i = 0; i < kAcceptsOfATurn; ++i) {
    const int socket =
        ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      Welcome(socket);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return OnAcceptFailed(std::generic_category().message(errno));
    }
  }
  Accept();
}

// Mostly for want of descriptors: clients wait in the kernel's queue until some are free.
void HttpServerImpl::OnAcceptFailed(const std::string& why) {
  const auto now = std::chrono::steady_clock::now();
  if (now >= next_accept_warning) {
    next_accept_warning = now + kAcceptWarningPause;
    LOG_WARNING("accepting a connection failed: {}; trying every {} ms", why, kAcceptPause.count());
  }
  pause.expires_after(kAcceptPause);
  pause.async_wait([this](ErrorCode aborted) {
    if (!aborted && !stopping) Accept();
  });
}

void HttpServerImpl::Welcome(int socket) {
  const int others = host.num_connections.load();
  if (others >= host.options.connections_max + kTurnedAwayMax) {
    ::close(socket);
    return;
  }
  ++host.num_connections;
  const auto connection = MakeConnection(host, socket);
  host.connections.insert(connection);
  if (others < host.options.connections_max) return connection->Start();
  connection->TurnAway(503, "The server has too many connections; try again.");
}

void HttpServerImpl::Tick() {
  tick.expires_after(kTick);
  tick.async_wait([this](ErrorCode error) {
    if (error) return;
    host.handler->OnTick();
    Tick();
  });
}

void HttpServerImpl::Stop(milliseconds grace) {
  stopping = true;
  ErrorCode ignored;
  acceptor.close(ignored);
  host.on_close = [this] {
    if (host.connections.empty()) pause.cancel();
  };
  const auto connections = host.connections;  // StopSoon changes the set
  for (const auto& connection : connections) connection->StopSoon();
  pause.expires_after(host.connections.empty() ? milliseconds(0) : grace);
  pause.async_wait([this](ErrorCode) {
    host.on_close = nullptr;
    const auto left = host.connections;
    for (const auto& connection : left) connection->Close();
    asio::post(io, [this] { io.stop(); });  // after the OnGone that Close posted
  });
}

std::shared_ptr<Connection> HttpServerImpl::Find(CallId id) const {
  const auto it = host.calls.find(static_cast<uint64_t>(id));
  return it == host.calls.end() ? nullptr : it->second;
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
  if (!error) impl->acceptor.non_blocking(true, error);
  if (error) {
    return Unavailable("cannot listen on {}:{}: {}", options.host, options.port, error.message());
  }
  impl->port = impl->acceptor.local_endpoint(error).port();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<HttpServerImpl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { Stop(milliseconds(0)); }

void HttpServer::Start(HttpHandler& handler) {
  CHECK(impl_->host.handler == nullptr, "Start is called once");
  impl_->host.handler = &handler;
  impl_->Accept();
  impl_->Tick();
  impl_->thread = std::thread([impl = impl_.get()] { impl->io.run(); });
}

int HttpServer::port() const { return impl_->port; }
int HttpServer::num_connections() const { return impl_->host.num_connections.load(); }

void HttpServer::Post(std::function<void()> task) { asio::post(impl_->io, std::move(task)); }

void HttpServer::Respond(CallId id, const HttpResponse& response) {
  if (const auto connection = impl_->Find(id)) connection->Respond(response);
}
void HttpServer::BeginStream(CallId id, const std::string& content_type,
                             const HttpHeaders& headers) {
  if (const auto connection = impl_->Find(id)) connection->BeginStream(content_type, headers);
}
void HttpServer::Write(CallId id, const std::string& bytes) {
  if (const auto connection = impl_->Find(id)) connection->Write(bytes);
}
void HttpServer::EndStream(CallId id) {
  if (const auto connection = impl_->Find(id)) connection->EndStream();
}

size_t HttpServer::Backlog(CallId id) const {
  const auto connection = impl_->Find(id);
  return connection == nullptr ? 0 : connection->Backlog();
}

void HttpServer::BeginDrain() { impl_->host.draining.store(true); }

void HttpServer::Stop(milliseconds grace) {
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->io, [impl = impl_.get(), grace] { impl->Stop(grace); });
  impl_->thread.join();
}

}  // namespace atl::coordinator
