// ResponseWriter: the response to one request, as a whole or as a stream of server-sent events.
//
//   ResponseWriter writer(server, id, {{"X-Request-Id", request_id}});
//   writer.Write("data: {}\n\n");  // or writer.Respond({.body = "{}"}), and that is all
//   writer.EndStream();
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "coordinator/http/http_server.h"

namespace atl::coordinator {

// **Threads**: the server's. **Lifetime**: the server outlives it. What is written to a client that
// has gone is counted and goes nowhere.
class ResponseWriter {
 public:
  // `headers` go out with the response, whichever it is.
  ResponseWriter(HttpServer& server, CallId id, HttpHeaders headers);

  void Respond(HttpResponse response);

  // Events, each with the empty line that ends it. The first call sends status and headers.
  void Write(const std::string& events);
  void EndStream();

  bool stream_begun() const { return stream_begun_; }
  // Of the body, so far.
  int64_t bytes_written() const { return bytes_written_; }
  // Written, and not yet taken by the kernel.
  size_t backlog_bytes() const { return server_->Backlog(id_); }

 private:
  HttpServer* server_;
  CallId id_;
  HttpHeaders headers_;
  bool stream_begun_ = false;
  int64_t bytes_written_ = 0;
};

}  // namespace atl::coordinator
