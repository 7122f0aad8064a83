#include "coordinator/http/http_server.h"

#include "tests/coordinator/http/http_fixture.h"

namespace atl::coordinator {
namespace {

TEST_F(HttpServerTest, KeepsTheConnectionForTheNextRequest) {
  Start();
  HttpClient client(port());
  for (const char* body : {"one", "", "three"}) {
    const ClientResponse response = client.Post("/echo?x=1", body);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, std::string("POST /echo ") + body);
    EXPECT_EQ(response.headers.at("connection"), "keep-alive");
    EXPECT_EQ(response.headers.at("x-test"), "1");
  }
  EXPECT_EQ(server_->num_connections(), 1);
}

TEST_F(HttpServerTest, RespondsToPipelinedRequestsInOrder) {
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
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.Receive().body, "POST /echo abcde");
}

TEST_F(HttpServerTest, SaysContinueToThoseWhoAsk) {
  Start();
  HttpClient client(port());
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.ReceiveHead().status, 100);
  client.Send("hi");
  EXPECT_EQ(client.Receive().body, "POST /echo hi");
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  Start();
  HttpClient client(port());
  client.Send("HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.ReceiveHead().headers.at("content-length"), "10");
  EXPECT_EQ(client.Receive().body, "GET /echo ");
}

TEST_F(HttpServerTest, OldClientsGetAStreamThatEndsWithTheConnection) {
  Start();
  HttpClient client(port());
  client.Send("POST /whole-stream HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
  const ClientResponse response = client.Receive();
  EXPECT_EQ(response.body, "first second");
  EXPECT_EQ(response.headers.at("connection"), "close");
  EXPECT_FALSE(response.headers.contains("transfer-encoding"));
}

TEST_F(HttpServerTest, ClosesWhereTheClientWants) {
  Start();
  HttpClient client(port());
  client.Send("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.Receive().headers.at("connection"), "close");
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(HttpServerTest, BoundsHeaderAndBody) {
  Start({.body_bytes_max = 1000});
  HttpClient huge_header(port());
  huge_header.Send("GET / HTTP/1.1\r\nHost: a\r\nA: " + std::string(17 << 10, 'x') + "\r\n\r\n");
  EXPECT_EQ(huge_header.Receive().status, 431);
  HttpClient fits(port());
  EXPECT_EQ(fits.Post("/echo", std::string(1000, 'x')).status, 200);
  HttpClient huge_body(port());
  const ClientResponse response = huge_body.Post("/echo", std::string(3 << 20, 'x'));
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body, "The request's body is larger than 1000 bytes.");
  HttpClient chunked(port());
  chunked.Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
               std::string(1001, 'x') + "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.Receive().status, 413);
}

TEST_F(HttpServerTest, NoticesAClientThatLeavesWhileItWaits) {
  Start();
  HttpClient client(port());
  client.Send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  client.CloseNow();
  EXPECT_TRUE(script_.AwaitGone(id));
}

TEST_F(HttpServerTest, NoticesAClientThatLeavesAfterPipelining) {
  Start();
  HttpClient client(port());
  client.Send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  client.CloseNow();
  EXPECT_TRUE(script_.AwaitGone(id));
}

TEST_F(HttpServerTest, NoticesAClientThatLeavesItsStream) {
  Start();
  HttpClient client(port());
  client.Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
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
  const CallId id = script_.AwaitHeld();
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
  client.Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  for (int i = 0; i < 1000; ++i) {
    server_->Post([this, id] { server_->Write(id, std::string(1000, 'x')); });
  }
  EXPECT_TRUE(script_.AwaitGone(id));
}

TEST_F(HttpServerTest, LateAnswersToTheGoneAreIgnored) {
  Start();
  HttpClient client(port());
  client.Send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  client.CloseNow();
  ASSERT_TRUE(script_.AwaitGone(id));
  std::promise<void> done;
  server_->Post([&] {
    server_->Respond(id, {.body = "too late"});
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
  client.Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
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
  client.Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  script_.AwaitHeld();
  server_->Stop(std::chrono::milliseconds(10));
  client.ReadToEnd();
}

TEST_F(HttpServerTest, MoreConnectionsThanAllowedAreTurnedAway) {
  Start({.connections_max = 1});
  HttpClient first(port());
  EXPECT_EQ(first.Get("/echo").status, 200);
  HttpClient second(port());
  EXPECT_EQ(second.Receive().status, 503);
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
}  // namespace atl::coordinator
