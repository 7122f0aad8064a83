// A server with a handler whose answers are known, for tests with plain sockets.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "coordinator/http/http_server.h"
#include "tests/coordinator/http/http_client.h"
#include "tests/support/status_matchers.h"

namespace atl::coordinator {

// /hold never answers, /stream begins a stream and sends "first", /whole-stream ends it,
// /who answers x-name, x-none and the client, all else what came: method, path, body.
class Script : public HttpHandler {
 public:
  void OnRequest(CallId id, HttpRequest request) override {
    ++num_requests;
    if (request.path == "/hold") return held_.set_value(id);
    if (request.path == "/stream" || request.path == "/whole-stream") {
      server->BeginStream(id, "text/event-stream; charset=utf-8", {{"X-Extra", "2"}});
      server->Write(id, "first");
      if (request.path == "/stream") return held_.set_value(id);
      server->Write(id, "");  // must not end the chunked body
      server->Write(id, " second");
      return server->EndStream(id);
    }
    if (request.path == "/who") {
      return server->Respond(
          id, {.body = std::string(request.Header("x-name")) + "|" +
                       std::string(request.Header("x-none")) + "|" + request.client});
    }
    server->Respond(id, {.body = request.method + " " + request.path + " " + request.body,
                         .headers = {{"X-Test", "1"}}});
  }
  void OnDrained(CallId id) override { drained.set_value(id); }
  void OnTick() override {
    if (!std::exchange(ticked_, true)) tick.set_value();
  }
  void OnGone(CallId id) override { gone_.set_value(id); }
  HttpResponse OnRefused(int status, const std::string& message) override {
    return {.status = status, .body = message};
  }

  CallId AwaitHeld() { return held_.get_future().get(); }
  bool AwaitGone(CallId id) {
    auto gone = gone_.get_future();
    return gone.wait_for(std::chrono::seconds(10)) == std::future_status::ready && gone.get() == id;
  }

  HttpServer* server = nullptr;
  std::atomic<int> num_requests{0};
  std::promise<CallId> drained;
  std::promise<void> tick;

 private:
  bool ticked_ = false;
  std::promise<CallId> held_;
  std::promise<CallId> gone_;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpOptions options = {}) { Start(script_, options); }
  // `handler` outlives the fixture's server: see TearDown.
  void Start(HttpHandler& handler, HttpOptions options) {
    absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Listen(options);
    ASSERT_OK(server);
    server_ = std::move(*server);
    script_.server = server_.get();
    server_->Start(handler);
  }
  int port() const { return server_->port(); }

  // The response to `bytes` on a connection of its own, which must end with it where it is a
  // refusal.
  ClientResponse Ask(const std::string& bytes) {
    HttpClient client(port());
    client.Send(bytes);
    ClientResponse response = client.Receive();
    if (response.status >= 400) {
      EXPECT_EQ(client.ReadToEnd(), "");
    }
    return response;
  }

  Script script_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace atl::coordinator
