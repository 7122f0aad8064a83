// Clients that take their time, and how much of it they are given.
#include <atomic>
#include <thread>

#include "tests/coordinator/http/http_fixture.h"

namespace atl::coordinator {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Sends `bytes` one by one until told to stop or all have left.
class Trickle {
 public:
  Trickle(HttpClient& client, std::string bytes, milliseconds pause)
      : thread_([this, &client, bytes = std::move(bytes), pause] {
          for (const char c : bytes) {
            if (stop_.wait_for(pause) == std::future_status::ready) return;
            client.Send(std::string_view(&c, 1));
          }
        }) {}
  ~Trickle() {
    stopping_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> stopping_;
  std::future<void> stop_ = stopping_.get_future();
  std::thread thread_;
};

TEST_F(HttpServerTest, HeadersThatTrickleAreGivenUp) {
  Start({.header_timeout = milliseconds(100)});
  HttpClient client(port());
  const Trickle trickle(client, "GET /echo HTTP/1.1\r\nA: " + std::string(5000, 'x'),
                        milliseconds(2));
  EXPECT_EQ(client.Receive().status, 408);
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(HttpServerTest, BodiesThatTrickleAreGivenUp) {
  Start({.body_timeout = milliseconds(100), .bytes_per_s_min = 100'000});
  HttpClient client(port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n");
  const Trickle trickle(client, std::string(5000, 'x'), milliseconds(2));
  EXPECT_EQ(client.Receive().status, 408);
}

TEST_F(HttpServerTest, ChunksThatTrickleAreGivenUp) {
  Start({.body_timeout = milliseconds(100), .bytes_per_s_min = 100'000});
  HttpClient client(port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n");
  const Trickle trickle(client, std::string(5000, 'x'), milliseconds(2));
  EXPECT_EQ(client.Receive().status, 408);
}

// Six times the timeout in all, but every byte pays for its time.
TEST_F(HttpServerTest, SlowButHonestBodiesArrive) {
  Start({.body_timeout = milliseconds(100), .bytes_per_s_min = 10});
  HttpClient client(port());
  client.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n");
  const Trickle trickle(client, std::string(60, 'x'), milliseconds(10));
  EXPECT_EQ(client.Receive().body, "POST /echo " + std::string(60, 'x'));
}

TEST_F(HttpServerTest, SilentRequestsAreGivenUp) {
  Start({.header_timeout = milliseconds(30), .body_timeout = milliseconds(30)});
  EXPECT_EQ(Ask("GET /echo HT").status, 408);
  EXPECT_EQ(Ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab").status, 408);
}

TEST_F(HttpServerTest, IdleConnectionsAreClosed) {
  Start({.idle_timeout = milliseconds(30)});
  HttpClient client(port());
  EXPECT_EQ(client.Get("/echo").status, 200);
  EXPECT_EQ(client.ReadToEnd(), "");
  HttpClient silent(port());
  EXPECT_EQ(silent.ReadToEnd(), "");
  HttpClient empty_line(port());
  empty_line.Send("\r\n");
  EXPECT_EQ(empty_line.ReadToEnd(), "");
}

TEST_F(HttpServerTest, AResponseMayTakeLongerThanAnyTimeout) {
  Start({.idle_timeout = milliseconds(20),
         .header_timeout = milliseconds(20),
         .body_timeout = milliseconds(20),
         .write_timeout = milliseconds(20)});
  HttpClient client(port());
  client.Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  EXPECT_TRUE(client.ReadUntil("first"));
  std::promise<void> never;
  never.get_future().wait_for(milliseconds(100));
  server_->Post([this, id] {
    server_->Write(id, "second");
    server_->EndStream(id);
  });
  EXPECT_TRUE(client.ReadUntil("second"));
}

TEST_F(HttpServerTest, DropsAClientThatStopsTakingItsResponse) {
  Start({.send_buffer_bytes = 4096, .write_timeout = milliseconds(30)});
  HttpClient client(port(), 4096);
  client.Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  server_->Post([this, id] { server_->Write(id, std::string(1 << 20, 'x')); });
  EXPECT_TRUE(script_.AwaitGone(id));
}

// It takes a little now and then, far below the least speed.
TEST_F(HttpServerTest, DropsAClientThatSipsItsResponse) {
  Start({.send_buffer_bytes = 4096,
         .write_timeout = milliseconds(100),
         .bytes_per_s_min = 100 << 20});
  HttpClient client(port(), 4096);
  client.Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  server_->Post([this, id] { server_->Write(id, std::string(1 << 20, 'x')); });
  auto gone = std::async(std::launch::async, [this, id] { return script_.AwaitGone(id); });
  while (gone.wait_for(milliseconds(5)) != std::future_status::ready) client.Sip(2000);
  EXPECT_TRUE(gone.get());
}

TEST_F(HttpServerTest, ASlowButHonestReaderGetsItsAnswer) {
  Start({.send_buffer_bytes = 4096, .write_timeout = milliseconds(100), .bytes_per_s_min = 1000});
  HttpClient client(port(), 4096);
  client.Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  const CallId id = script_.AwaitHeld();
  server_->Post([this, id] {
    server_->Write(id, std::string(200'000, 'x') + "end");
    server_->EndStream(id);
  });
  std::promise<void> never;
  auto pause = never.get_future();
  for (int i = 0; i < 60; ++i) {
    client.Sip(2000);
    pause.wait_for(milliseconds(5));
  }
  EXPECT_TRUE(client.ReadUntil("xend"));
}

}  // namespace
}  // namespace atl::coordinator
