// One client's connection: requests in, answers out, and every wait between with an end.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "coordinator/http/http_server.h"

namespace boost::asio {
class io_context;
}

namespace atl::coordinator {

class Connection;

// What the connections of a server share; on the server's thread where it is not atomic.
struct ConnectionHost {
  const HttpOptions options;
  boost::asio::io_context& io;
  HttpHandler* handler = nullptr;
  std::unordered_set<std::shared_ptr<Connection>> connections = {};
  std::unordered_map<uint64_t, std::shared_ptr<Connection>> calls = {};
  uint64_t next_call = 1;
  size_t body_bytes = 0;  // of requests that are being read
  std::atomic<int> num_connections{0};
  std::atomic<bool> draining{false};  // each response is its connection's last
  std::function<void()> on_close = {};
};

// Lives in ConnectionHost::connections and in the handlers of its pending operations. A wait for
// the client is always pending, so that one that leaves is noticed; an idle one owns no buffer.
class Connection {
 public:
  virtual ~Connection() = default;

  virtual void Start() = 0;
  // Instead of Start: says so and closes.
  virtual void TurnAway(int status, const std::string& message) = 0;

  // As HttpServer's.
  virtual void Respond(const HttpResponse& response) = 0;
  virtual void BeginStream(const std::string& content_type, HttpHeaders headers) = 0;
  virtual void Write(const std::string& bytes) = 0;
  virtual void EndStream() = 0;
  virtual size_t Backlog() const = 0;

  // What is idle goes at once, what is answering after its response.
  virtual void StopSoon() = 0;
  virtual void Close() = 0;
};

// Takes `socket`, an accepted one of TCP.
std::shared_ptr<Connection> MakeConnection(ConnectionHost& host, int socket);

}  // namespace atl::coordinator
