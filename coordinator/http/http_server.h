// HTTP/1.1 and 1.0 over plain TCP: one thread, many connections, one response at a time on each.
//
//   ATOLL_ASSIGN_OR_RETURN(auto server, HttpServer::Listen({.port = 0}));
//   server->Start(handler);
//   server->Post([&] { server->Write(id, bytes); });  // from any other thread
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status.h"

namespace atl::coordinator {

enum class CallId : uint64_t {};  // one request and its response

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  // The first value under `name` (lower case), "" where there is none.
  std::string_view Header(std::string_view name) const;

  std::string method;   // HEAD is told as GET; its response loses the body on the way out
  std::string path;     // without the query
  HttpHeaders headers;  // lower-case names, values without the spaces around them, as they came
  std::string body;
  std::string client;  // address:port
};

struct HttpResponse {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
  HttpHeaders headers = {};
};

struct HttpOptions {
  std::string host = "127.0.0.1";      // a name or a numeric address
  int port = 0;                        // 0: a free one, see port()
  size_t header_bytes_max = 16 << 10;  // the trailer fields of a chunked body again as much
  size_t headers_max = 100;
  size_t target_bytes_max = 8'000;
  size_t body_bytes_max = 8 << 20;
  size_t bodies_bytes_max = 256 << 20;  // of all requests that are being read
  size_t backlog_bytes = 16 << 10;      // of a stream; above it OnDrained tells when all has left
  size_t outbox_bytes_max = 1 << 20;    // of a stream; a client that lets more pile up is dropped
  int connections_max = 16'384;         // further ones are answered 503, many further ones closed
  int send_buffer_bytes = 0;            // of a socket; 0: the system's choice
  std::chrono::milliseconds idle_timeout{75'000};
  std::chrono::milliseconds header_timeout{10'000};  // from a request's first byte
  // What a body may take to arrive, and a client to take what waits for it. Each byte that moves
  // puts the end off by 1 / bytes_per_s_min, up to so long from then.
  std::chrono::milliseconds body_timeout{60'000};
  std::chrono::milliseconds write_timeout{60'000};
  int bytes_per_s_min = 1024;
};

// Called on the server's thread; must not block.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // Owes `id` one response: Respond, or BeginStream, Write …, EndStream; at once or later.
  virtual void OnRequest(CallId id, HttpRequest request) = 0;
  // The client went away, or was dropped, before its response was complete.
  virtual void OnGone(CallId id) = 0;
  // What the server itself refuses (400, 408, 413, 414, 415, 417, 431, 501, 503, 505), in the
  // handler's words; the connection ends with it.
  virtual HttpResponse OnRefused(int status, const std::string& message) = 0;
  // The stream's backlog had passed HttpOptions::backlog_bytes and has fallen to zero.
  virtual void OnDrained(CallId) {}
  // Once a second, from Start to Stop.
  virtual void OnTick() {}
};

struct HttpServerImpl;

class HttpServer {
 public:
  // Binds and listens. kInvalidArgument, kUnavailable: the address cannot be had.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Listen(const HttpOptions& options);
  ~HttpServer();

  // Once; `handler` outlives the server's thread.
  void Start(HttpHandler& handler);
  int port() const;
  int num_connections() const;  // any thread

  // Any thread: runs `task` on the server's thread, in the order of posting; dropped after Stop.
  void Post(std::function<void()> task);

  // On the server's thread. An exchange that is over or gone is ignored.
  void Respond(CallId id, const HttpResponse& response);
  void BeginStream(CallId id, const std::string& content_type, const HttpHeaders& headers = {});
  void Write(CallId id, const std::string& bytes);
  void EndStream(CallId id);
  // Bytes of the exchange that the kernel has not taken yet; 0 where it is over or gone.
  size_t Backlog(CallId id) const;

  // Any thread. From now on each response says that it is its connection's last. New connections
  // are still accepted, so that /ready can say no and requests are told to go elsewhere.
  void BeginDrain();

  // Any other thread. Accepts nothing more, lets open answers leave for up to `grace`, closes the
  // rest and joins the thread. A second call does nothing.
  void Stop(std::chrono::milliseconds grace);

 private:
  explicit HttpServer(std::unique_ptr<HttpServerImpl> impl);
  std::unique_ptr<HttpServerImpl> impl_;
};

}  // namespace atl::coordinator
