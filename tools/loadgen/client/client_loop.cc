#include "tools/loadgen/client/client_loop.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <set>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"

namespace atl::tools {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kReadBytes = 64 << 10;
constexpr int kSlowReceiveBuffer = 4096;
constexpr auto kSlowPause = std::chrono::milliseconds(100);
constexpr int kSlowReadsPerS = 10;

class ClientCall;

}  // namespace

struct ClientLoopImpl {
  asio::io_context io{1};
  tcp::endpoint server;
  std::vector<tcp::socket> idle;  // open, between two calls
  std::set<std::shared_ptr<ClientCall>> open;
  std::array<char, kReadBytes> bytes;  // one reader at a time: read where it is ready, then used
  std::string body;
  asio::signal_set signals{io};
};

namespace {

class ClientCall : public std::enable_shared_from_this<ClientCall> {
 public:
  ClientCall(ClientLoopImpl& loop, Call call, std::unique_ptr<CallObserver> observer)
      : loop_(loop),
        call_(std::move(call)),
        observer_(std::move(observer)),
        socket_(loop.io),
        limit_(loop.io),
        pause_(loop.io) {}

  void Begin() {
    limit_.expires_after(call_.time_limit);
    limit_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) {
        self->End(DeadlineExceeded("no end within the time limit of {} ms",
                                   self->call_.time_limit.count()));
      }
    });
    if (loop_.idle.empty() || is_slow()) return Connect();
    socket_ = std::move(loop_.idle.back());
    loop_.idle.pop_back();
    is_reused_ = true;
    Send();
  }

  void End(const absl::Status& status) {
    if (is_over_) return;
    is_over_ = true;
    limit_.cancel();
    pause_.cancel();
    if (status.ok() && parser_.facts().keeps_alive && !is_slow()) {
      loop_.idle.push_back(std::move(socket_));
    } else {
      error_code ignored;
      socket_.close(ignored);
    }
    loop_.open.erase(shared_from_this());
    observer_->OnEnd(status, ClientClock::now());
  }

 private:
  bool is_slow() const { return call_.read_bytes_per_s > 0; }

  void Connect() {
    is_reused_ = false;
    error_code error;
    socket_ = tcp::socket(loop_.io);
    socket_.open(loop_.server.protocol(), error);
    if (!error && is_slow()) {
      socket_.set_option(asio::socket_base::receive_buffer_size(kSlowReceiveBuffer), error);
    }
    if (error) return End(Unavailable("no socket: {}", error.message()));
    socket_.async_connect(loop_.server, [self = shared_from_this()](error_code failure) {
      if (self->is_over_) return;
      if (failure) return self->End(Unavailable("connect: {}", failure.message()));
      error_code ignored;
      self->socket_.set_option(tcp::no_delay(true), ignored);
      self->socket_.non_blocking(true, ignored);
      self->observer_->OnConnected(ClientClock::now());
      self->Send();
    });
  }

  void Send() {
    asio::async_write(socket_, asio::buffer(call_.bytes),
                      [self = shared_from_this()](error_code error, size_t) {
                        if (self->is_over_) return;
                        if (error && self->is_reused_) return self->Connect();
                        // A server may refuse before it has read everything: its words are read.
                        self->AwaitBytes();
                      });
  }

  void AwaitBytes() {
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
      if (self->is_over_) return;
      if (error) return self->End(Unavailable("read: {}", error.message()));
      self->Read();
    });
  }

  void Read() {
    const size_t most =
        is_slow() ? std::clamp<size_t>(call_.read_bytes_per_s / kSlowReadsPerS, 1, kReadBytes)
                  : kReadBytes;
    error_code error;
    const size_t size = socket_.read_some(asio::buffer(loop_.bytes.data(), most), error);
    if (error == asio::error::would_block) return AwaitBytes();
    if (error) return OnClosed(error);
    has_bytes_ = true;
    if (!Take({loop_.bytes.data(), size})) return;
    if (is_slow()) return Pause();
    AwaitBytes();
  }

  void Pause() {
    pause_.expires_after(kSlowPause);
    pause_.async_wait([self = shared_from_this()](error_code error) {
      if (!error && !self->is_over_) self->AwaitBytes();
    });
  }

  // A connection that another call left open may have been closed meanwhile: a new one is tried.
  void OnClosed(const error_code& error) {
    if (is_reused_ && !has_bytes_) return Connect();
    if (error != asio::error::eof) return End(Unavailable("read: {}", error.message()));
    End(parser_.FinishAtClose());
  }

  // False where the call is over.
  bool Take(std::string_view bytes) {
    const auto now = ClientClock::now();
    loop_.body.clear();
    const bool had_head = parser_.has_head();
    const absl::Status fed = parser_.Feed(bytes, &loop_.body);
    if (parser_.has_head() && !had_head) observer_->OnHead(parser_.facts(), now);
    if (!loop_.body.empty() && observer_->OnBody(loop_.body, now) == AfterBytes::kHangUp) {
      End(Cancelled("hung up"));
    } else if (!fed.ok() || parser_.done()) {
      End(fed);
    }
    return !is_over_;
  }

  ClientLoopImpl& loop_;
  const Call call_;
  const std::unique_ptr<CallObserver> observer_;
  tcp::socket socket_;
  asio::steady_timer limit_;
  asio::steady_timer pause_;
  HttpParser parser_;
  bool is_reused_ = false;
  bool has_bytes_ = false;
  bool is_over_ = false;
};

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

ClientLoop::ClientLoop(std::unique_ptr<ClientLoopImpl> impl) : impl_(std::move(impl)) {}
ClientLoop::~ClientLoop() { impl_->open.clear(); }

absl::StatusOr<std::unique_ptr<ClientLoop>> ClientLoop::Make(const HttpEndpoint& endpoint) {
  RaiseDescriptorLimit();
  auto impl = std::make_unique<ClientLoopImpl>();
  error_code error;
  tcp::resolver resolver(impl->io);
  const auto found = resolver.resolve(endpoint.host, endpoint.port, error);
  if (error) return Unavailable("{}: no such host: {}", endpoint.host, error.message());
  // The first address that answers is everyone's.
  tcp::socket probe(impl->io);
  impl->server = asio::connect(probe, found, error);
  if (error) {
    return Unavailable("{}: nothing listens there: {}", endpoint.HostHeader(), error.message());
  }
  return std::unique_ptr<ClientLoop>(new ClientLoop(std::move(impl)));
}

void ClientLoop::Begin(Call call, std::unique_ptr<CallObserver> observer) {
  auto opened = std::make_shared<ClientCall>(*impl_, std::move(call), std::move(observer));
  impl_->open.insert(opened);
  opened->Begin();
}

size_t ClientLoop::num_open() const { return impl_->open.size(); }

void ClientLoop::HangUpAll() {
  const auto open = impl_->open;
  for (const auto& call : open) call->End(Cancelled("hung up"));
}

void ClientLoop::At(ClientClock::time_point when, std::function<void()> task) {
  auto timer = std::make_shared<asio::steady_timer>(impl_->io, when);
  timer->async_wait([timer, task = std::move(task)](error_code error) {
    if (!error) task();
  });
}

void ClientLoop::OnInterrupt(std::function<void()> task) {
  error_code ignored;
  impl_->signals.add(SIGINT, ignored);
  impl_->signals.add(SIGTERM, ignored);
  impl_->signals.async_wait([this, task = std::move(task)](error_code error, int) {
    if (error) return;
    impl_->signals.clear(error);
    task();
  });
}

void ClientLoop::Run() {
  impl_->io.restart();
  impl_->io.run();
}

void ClientLoop::Stop() {
  impl_->io.stop();
  impl_->idle.clear();
}

}  // namespace atl::tools
