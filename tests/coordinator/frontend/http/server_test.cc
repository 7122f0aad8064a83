#include "coordinator/frontend/http/http_server.h"

#include <future>
#include <mutex>
#include <set>

#include "tests/coordinator/frontend/http_client.h"
#include "tests/support/status_matchers.h"

namespace atl {
namespace {

using testing::ClientAnswer;
using ::testing::HasSubstr;
using testing::HttpClient;
using testing::PostText;

// /echo answers the method and body, /hold never answers, /stream begins a stream and sends
// "first".
class Script : public HttpHandler {
 public:
  void OnRequest(ExchangeId id, HttpRequest request) override {
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
      return server->Answer(id,
                            {.body = std::string(request.Header("x-name")) + "|" +
                                     std::string(request.Header("x-none")) + "|" + request.client});
    }
    server->Answer(id, {.body = request.method + " " + request.path + " " + request.body,
                        .headers = {{"X-Test", "1"}}});
  }
  void OnDrained(ExchangeId id) override { drained.set_value(id); }
  void OnTick() override {
    if (!std::exchange(ticked_, true)) tick.set_value();
  }
  void OnGone(ExchangeId id) override { gone_.set_value(id); }
  HttpAnswer OnRefused(int status, const std::string& message) override {
    return {.status = status, .body = message};
  }

  ExchangeId AwaitHeld() { return held_.get_future().get(); }
  bool AwaitGone(ExchangeId id) {
    auto gone = gone_.get_future();
    return gone.wait_for(std::chrono::seconds(10)) == std::future_status::ready && gone.get() == id;
  }

  HttpServer* server = nullptr;
  std::promise<ExchangeId> drained;
  std::promise<void> tick;

 private:
  bool ticked_ = false;
  std::promise<ExchangeId> held_;
  std::promise<ExchangeId> gone_;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpOptions options = {}) {
    absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Listen(options);
    ASSERT_OK(server);
    server_ = std::move(*server);
    script_.server = server_.get();
    server_->Start(script_);
  }
  int port() const { return server_->port(); }

  Script script_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, KeepsTheConnectionForTheNextRequest) {
  Start();
  HttpClient client(port());
  for (const char* body : {"one", "", "three"}) {
    const ClientAnswer answer = client.Post("/echo?x=1", body);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, std::string("POST /echo ") + body);
    EXPECT_EQ(answer.headers.at("connection"), "keep-alive");
    EXPECT_EQ(answer.headers.at("x-test"), "1");
  }
  EXPECT_EQ(server_->num_connections(), 1);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  HttpClient client(port());
  client.Send(PostText("/echo", "a") + PostText("/whole-stream", "b") + PostText("/echo", "c"));
  EXPECT_EQ(client.Receive().body, "POST /echo a");
  EXPECT_EQ(client.Receive().body, "first second");
  EXPECT_EQ(client.Receive().body, "POST /echo c");
}

TEST_F(HttpServerTest, ReadsRequestsThatComeByteByByte) {
  Start();
  HttpClient client(port());
  for (const char c : PostText("/echo", "hello")) client.Send(std::string_view(&c, 1));
  EXPECT_EQ(client.Receive().body, "POST /echo hello");
}

TEST_F(HttpServerTest, ReadsChunkedBodies) {
  Start();
  HttpClient client(port());
  client.Send(
      "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.Receive().body, "POST /echo abcde");
}

TEST_F(HttpServerTest, SaysContinueToThoseWhoAsk) {
  Start();
  HttpClient client(port());
  client.Send("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.ReceiveHead().status, 100);
  client.Send("hi");
  EXPECT_EQ(client.Receive().body, "POST /echo hi");
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  Start();
  HttpClient client(port());
  client.Send("HEAD /echo HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.ReceiveHead().headers.at("content-length"), "10");
  EXPECT_EQ(client.Receive().body, "GET /echo ");
}

TEST_F(HttpServerTest, OldClientsGetAStreamThatEndsWithTheConnection) {
  Start();
  HttpClient client(port());
  client.Send("POST /whole-stream HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
  const ClientAnswer answer = client.Receive();
  EXPECT_EQ(answer.body, "first second");
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_FALSE(answer.headers.contains("transfer-encoding"));
}

TEST_F(HttpServerTest, ClosesWhereTheClientWants) {
  Start();
  HttpClient client(port());
  client.Send("GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.Receive().headers.at("connection"), "close");
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  Start();
  for (const char* text :
       {"\x16\x03\x01\x02\x00\x01\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9\r\n\r\n",
        "GET / HTTP/1.1\r\nA B: c\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    SCOPED_TRACE(text);
    HttpClient client(port());
    client.Send(text);
    const ClientAnswer answer = client.Receive();
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.body, "The request is not valid HTTP.");
    EXPECT_EQ(client.ReadToEnd(), "");
  }
}

TEST_F(HttpServerTest, BoundsHeaderAndBody) {
  Start({.body_bytes_max = 1000});
  HttpClient huge_header(port());
  huge_header.Send("GET / HTTP/1.1\r\nA: " + std::string(17 << 10, 'x') + "\r\n\r\n");
  EXPECT_EQ(huge_header.Receive().status, 431);
  HttpClient fits(port());
  EXPECT_EQ(fits.Post("/echo", std::string(1000, 'x')).status, 200);
  HttpClient huge_body(port());
  const ClientAnswer answer = huge_body.Post("/echo", std::string(3 << 20, 'x'));
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "The request's body is larger than 1000 bytes.");
  HttpClient chunked(port());
  chunked.Send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
               std::string(1001, 'x') + "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.Receive().status, 413);
}

TEST_F(HttpServerTest, SlowRequestsAreGivenUp) {
  Start({.header_timeout = std::chrono::milliseconds(30),
         .body_timeout = std::chrono::milliseconds(30)});
  HttpClient header(port());
  header.Send("GET /echo HT");
  EXPECT_EQ(header.Receive().status, 408);
  HttpClient body(port());
  body.Send("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_EQ(body.Receive().status, 408);
}

TEST_F(HttpServerTest, IdleConnectionsAreClosed) {
  Start({.idle_timeout = std::chrono::milliseconds(30)});
  HttpClient client(port());
  EXPECT_EQ(client.Get("/echo").status, 200);
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(HttpServerTest, NoticesAClientThatLeavesWhileItWaits) {
  Start();
  HttpClient client(port());
  client.Send("GET /hold HTTP/1.1\r\n\r\n");
  const ExchangeId id = script_.AwaitHeld();
  client.CloseNow();
  EXPECT_TRUE(script_.AwaitGone(id));
}

TEST_F(HttpServerTest, NoticesAClientThatLeavesAfterPipelining) {
  Start();
  HttpClient client(port());
  client.Send("GET /hold HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\n\r\n");
  const ExchangeId id = script_.AwaitHeld();
  client.CloseNow();
  EXPECT_TRUE(script_.AwaitGone(id));
}

TEST_F(HttpServerTest, NoticesAClientThatLeavesItsStream) {
  Start();
  HttpClient client(port());
  client.Send("GET /stream HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(client.ReadUntil("first"));
  client.CloseNow();
  EXPECT_TRUE(script_.AwaitGone(script_.AwaitHeld()));
}

TEST_F(HttpServerTest, TellsHeadersAndClient) {
  Start();
  HttpClient client(port());
  client.Send("GET /who HTTP/1.1\r\nHost: a\r\nX-Name: \t one \r\nX-NAME: two\r\n\r\n");
  EXPECT_THAT(client.Receive().body, ::testing::StartsWith("one||127.0.0.1:"));
  client.Send("GET /whole-stream HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.Receive().headers.at("x-extra"), "2");
}

TEST_F(HttpServerTest, TicksOnceASecond) {
  Start();
  EXPECT_EQ(script_.tick.get_future().wait_for(std::chrono::seconds(10)),
            std::future_status::ready);
}

TEST_F(HttpServerTest, TellsWhenABacklogHasLeft) {
  Start({.backlog_bytes = 1000, .send_buffer_bytes = 4096});
  HttpClient client(port(), 4096);
  client.Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  const ExchangeId id = script_.AwaitHeld();
  std::promise<size_t> backlog;
  server_->Post([&] {
    server_->Write(id, std::string(500'000, 'x'));
    backlog.set_value(server_->Backlog(id));
  });
  EXPECT_GT(backlog.get_future().get(), 1000u);
  auto drained = script_.drained.get_future();
  EXPECT_EQ(drained.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  std::promise<size_t> left;
  server_->Post([&] { left.set_value(server_->Backlog(id)); });
  EXPECT_GT(left.get_future().get(), 0u);
  EXPECT_TRUE(client.ReadUntil(std::string(500'000, 'x')));
  EXPECT_EQ(drained.get(), id);
}

TEST_F(HttpServerTest, DropsAClientThatDoesNotRead) {
  Start({.outbox_bytes_max = 100'000, .send_buffer_bytes = 4096});
  HttpClient client(port(), 4096);
  client.Send("GET /stream HTTP/1.1\r\n\r\n");
  const ExchangeId id = script_.AwaitHeld();
  for (int i = 0; i < 1000; ++i) {
    server_->Post([this, id] { server_->Write(id, std::string(1000, 'x')); });
  }
  EXPECT_TRUE(script_.AwaitGone(id));
}

TEST_F(HttpServerTest, DropsAClientThatStopsTakingItsAnswer) {
  Start({.send_buffer_bytes = 4096, .write_timeout = std::chrono::milliseconds(30)});
  HttpClient client(port(), 4096);
  client.Send("GET /stream HTTP/1.1\r\n\r\n");
  const ExchangeId id = script_.AwaitHeld();
  server_->Post([this, id] { server_->Write(id, std::string(1 << 20, 'x')); });
  EXPECT_TRUE(script_.AwaitGone(id));
}

TEST_F(HttpServerTest, LateAnswersToTheGoneAreIgnored) {
  Start();
  HttpClient client(port());
  client.Send("GET /hold HTTP/1.1\r\n\r\n");
  const ExchangeId id = script_.AwaitHeld();
  client.CloseNow();
  ASSERT_TRUE(script_.AwaitGone(id));
  std::promise<void> done;
  server_->Post([&] {
    server_->Answer(id, {.body = "too late"});
    server_->EndStream(id);
    done.set_value();
  });
  done.get_future().get();
  HttpClient other(port());
  EXPECT_EQ(other.Get("/echo").status, 200);
}

TEST_F(HttpServerTest, StopLetsOpenAnswersLeave) {
  Start();
  HttpClient idle(port());
  EXPECT_EQ(idle.Get("/echo").status, 200);
  HttpClient client(port());
  client.Send("GET /stream HTTP/1.1\r\n\r\n");
  const ExchangeId id = script_.AwaitHeld();
  auto stopped =
      std::async(std::launch::async, [this] { server_->Stop(std::chrono::seconds(10)); });
  EXPECT_EQ(idle.ReadToEnd(), "");  // so Stop has begun
  server_->Post([this, id] {
    server_->Write(id, " last");
    server_->EndStream(id);
  });
  EXPECT_EQ(client.Receive().body, "first last");
  stopped.get();
}

TEST_F(HttpServerTest, StopDoesNotWaitForEver) {
  Start();
  HttpClient client(port());
  client.Send("GET /stream HTTP/1.1\r\n\r\n");
  script_.AwaitHeld();
  server_->Stop(std::chrono::milliseconds(10));
  client.ReadToEnd();
}

TEST_F(HttpServerTest, MoreConnectionsThanAllowedAreClosed) {
  Start({.connections_max = 1});
  HttpClient first(port());
  EXPECT_EQ(first.Get("/echo").status, 200);
  HttpClient second(port());
  EXPECT_EQ(second.ReadToEnd(), "");
  EXPECT_EQ(first.Get("/echo").status, 200);
}

TEST(HttpServerListenTest, NamesTheAddressThatCannotBeHad) {
  ASSERT_OK_AND_ASSIGN(const auto server, HttpServer::Listen({}));
  EXPECT_STATUS(HttpServer::Listen({.port = server->port()}), absl::StatusCode::kUnavailable,
                std::to_string(server->port()));
  EXPECT_STATUS(HttpServer::Listen({.port = 70000}), absl::StatusCode::kInvalidArgument, "70000");
  EXPECT_STATUS(HttpServer::Listen({.host = "no.such.host.invalid"}),
                absl::StatusCode::kInvalidArgument, "no.such.host.invalid");
}

}  // namespace
}  // namespace atl
