// What a live server makes of clients at the edges of HTTP.
#include <fmt/format.h>

#include "tests/coordinator/http/http_fixture.h"

namespace atl::coordinator {
namespace {

using ::testing::HasSubstr;

constexpr const char* kGet = "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_F(HttpServerTest, ARefusalIsTheLastWord) {
  Start({.body_bytes_max = 1000});
  const std::string post = "POST /echo HTTP/1.1\r\nHost: a\r\n";
  const std::string next = PostText("/echo", "smuggled");
  for (const auto& [bytes, status] : std::vector<std::pair<std::string, int>>{
           {"GET /echo\r\n", 400},
           {"\x16\x03\x01\x02\x00\x01\xfc\x03\x03", 400},
           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
           {"GET /echo HTTP/1.1\r\n\r\n", 400},
           {"GET /echo HTTP/2.0\r\nHost: a\r\n\r\n", 505},
           {"GET /" + std::string(9'000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
           {"GET /echo HTTP/1.1\r\nHost: a\r\nA: " + std::string(17 << 10, 'x') + "\r\n\r\n", 431},
           {post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
           {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
           {post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400},
           {post + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", 415},
           {post + "Expect: a-miracle\r\nContent-Length: 2\r\n\r\nab", 417},
           {post + "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 413},
           {post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 413}}) {
    SCOPED_TRACE(::testing::PrintToString(bytes));
    HttpClient client(port());
    client.Send(bytes + next);
    const ClientResponse response = client.Receive();
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.headers.at("connection"), "close");
    EXPECT_EQ(response.headers.at("content-type"), "application/json");
    EXPECT_EQ(client.ReadToEnd(), "");
  }
  EXPECT_EQ(script_.num_requests, 0);
}

TEST_F(HttpServerTest, UnknownMethodsAreTheHandlersAffair) {
  Start();
  EXPECT_EQ(Ask("BREW /echo HTTP/1.1\r\nHost: a\r\n\r\n").body, "BREW /echo ");
}

TEST_F(HttpServerTest, AFinalResponseReachesAClientThatStillSends) {
  Start({.body_bytes_max = 1000});
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(Ask(head + "Content-Length: 9000000\r\n\r\n" + std::string(9'000'000, 'x')).status,
            413);
  EXPECT_EQ(Ask(head + "Connection: close\r\nContent-Length: 1\r\n\r\nx" + std::string(60'000, 'y'))
                .status,
            200);
}

TEST_F(HttpServerTest, ContinueIsSaidOnceAndOnlyWhereItIsAwaited) {
  Start();
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: "
      "chunked\r\n\r\n";
  HttpClient client(port());
  client.Send(head);
  EXPECT_EQ(client.ReceiveHead().status, 100);
  client.Send("2\r\nhi\r\n");
  client.Send("0\r\n\r\n");
  EXPECT_EQ(client.Receive().body, "POST /echo hi");
  HttpClient hasty(port());
  hasty.Send(head + "2\r\nhi\r\n0\r\n\r\n");
  EXPECT_EQ(hasty.Receive().status, 200);
}

TEST_F(HttpServerTest, OldClientsMayStay) {
  Start();
  HttpClient client(port());
  for (int i = 0; i < 2; ++i) {
    client.Send("POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx");
    const ClientResponse response = client.Receive();
    EXPECT_EQ(response.body, "POST /echo x");
    EXPECT_EQ(response.headers.at("connection"), "keep-alive");
  }
  client.Send("GET /whole-stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const ClientResponse stream = client.Receive();
  EXPECT_EQ(stream.body, "first second");
  EXPECT_EQ(stream.headers.at("connection"), "close");
  HttpClient leaving(port());
  leaving.Send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_EQ(leaving.Receive().headers.at("connection"), "close");
  EXPECT_EQ(leaving.ReadToEnd(), "");
}

TEST_F(HttpServerTest, HeadOfAStreamHasNoBody) {
  Start();
  HttpClient client(port());
  client.Send("HEAD /whole-stream HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(kGet));
  EXPECT_EQ(client.ReceiveHead().headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(client.Receive().body, "GET /echo ");
}

TEST_F(HttpServerTest, PipelinedRequestsWaitInTheKernel) {
  Start();
  HttpClient client(port());
  client.Send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  constexpr int kNumBodies = 20;
  const std::string body(10'000, 'x');
  std::string all;
  for (int i = 0; i < kNumBodies; ++i) all += PostText("/echo", body);
  client.Send(all);
  HttpClient other(port());
  EXPECT_EQ(other.Get("/echo").status, 200);
  EXPECT_EQ(script_.num_requests, 2);
  server_->Post([this, id] { server_->Respond(id, {.body = "held"}); });
  EXPECT_EQ(client.Receive().body, "held");
  for (int i = 0; i < kNumBodies; ++i) ASSERT_EQ(client.Receive().body, "POST /echo " + body);
}

TEST_F(HttpServerTest, AnEmptyLineBetweenRequestsIsForgiven) {
  Start();
  HttpClient client(port());
  client.Send(PostText("/echo", "a") + "\r\n" + PostText("/echo", "b"));
  EXPECT_EQ(client.Receive().body, "POST /echo a");
  EXPECT_EQ(client.Receive().body, "POST /echo b");
}

TEST_F(HttpServerTest, HeaderFieldsOfResponsesStayInTheirLine) {
  Start();
  HttpClient client(port());
  client.Send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  server_->Post([this, id] {
    server_->Respond(id, {.headers = {{"X-Echo", "a\r\nX-Smuggled: b"}}});
  });
  const ClientResponse response = client.Receive();
  EXPECT_EQ(response.headers.at("x-echo"), "a  X-Smuggled: b");
  EXPECT_FALSE(response.headers.contains("x-smuggled"));
}

TEST_F(HttpServerTest, DrainingAnswersButKeepsNoOne) {
  Start();
  HttpClient idle(port());
  EXPECT_EQ(idle.Get("/echo").headers.at("connection"), "keep-alive");
  HttpClient held(port());
  held.Send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  server_->BeginDrain();
  EXPECT_EQ(idle.Get("/echo").headers.at("connection"), "close");
  EXPECT_EQ(idle.ReadToEnd(), "");
  HttpClient late(port());
  EXPECT_EQ(late.Get("/echo").status, 200);
  server_->Post([this, id] { server_->Respond(id, {.body = "held"}); });
  const ClientResponse response = held.Receive();
  EXPECT_EQ(response.body, "held");
  EXPECT_EQ(response.headers.at("connection"), "close");
}

TEST_F(HttpServerTest, RequestsThatAreReadTogetherAreBounded) {
  Start({.bodies_bytes_max = 450'000});
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n";
  HttpClient first(port());
  first.Send(head + std::string(300'000, 'x'));
  HttpClient small(port());
  for (int turn = 0; turn < 50; ++turn) EXPECT_EQ(small.Get("/echo").status, 200);  // all is read
  HttpClient second(port());
  second.Send(head + std::string(300'000, 'x'));
  const ClientResponse refused = second.Receive();
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("too many large requests"));
  EXPECT_EQ(small.Post("/echo", "small").status, 200);
  first.CloseNow();
  for (int turn = 0; turn < 50; ++turn) EXPECT_EQ(small.Get("/echo").status, 200);
  HttpClient third(port());
  third.Send(head + std::string(400'000, 'x'));
  EXPECT_EQ(third.Receive().status, 200);
}

}  // namespace
}  // namespace atl::coordinator
