// Any bytes in any pieces: a live server answers or closes, and serves the others meanwhile.
#include <atomic>
#include <random>
#include <thread>

#include "tests/coordinator/http/http_fixture.h"

namespace atl::coordinator {
namespace {

using std::chrono::milliseconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kNumConversations = 500;
#else
constexpr int kNumConversations = 3'000;
#endif

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  size_t Below(size_t limit) { return random_() % limit; }

  // Some requests in a row, and here and there something else.
  std::string Conversation() {
    std::string bytes;
    for (size_t i = 0; i <= Below(3); ++i) bytes += kRequests[Below(std::size(kRequests))];
    const size_t num_changes = Below(4);
    for (size_t i = 0; i < num_changes; ++i) Change(&bytes);
    return bytes;
  }

 private:
  void Change(std::string* bytes) {
    const size_t at = Below(bytes->size() + 1);
    switch (Below(5)) {
      case 0:
        bytes->insert(at, 1, static_cast<char>(Below(256)));
        break;
      case 1:
        bytes->erase(at, 1 + Below(20));
        break;
      case 2:
        bytes->insert(at, kPieces[Below(std::size(kPieces))]);
        break;
      case 3:
        if (at < bytes->size()) (*bytes)[at] = static_cast<char>(Below(256));
        break;
      default:
        bytes->insert(at, bytes->substr(Below(bytes->size() + 1), Below(100)));
    }
  }

  static inline const std::string kRequests[] = {
      "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /whole-stream HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
      "HEAD http://a/echo?x HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789",
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;x=y\r\nabcde\r\n1\r\nf\r\n0\r\nT: 1\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
      "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nxy",
      "GET /whole-stream HTTP/1.0\r\n\r\n",
      "\x16\x03\x01\x02",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
  static inline const std::string kPieces[] = {"\r\n",
                                               "\r\n\r\n",
                                               "\n",
                                               "\r",
                                               " ",
                                               "\t",
                                               ":",
                                               ";",
                                               ",",
                                               std::string(1, '\0'),
                                               "Content-Length: 3\r\n",
                                               "Transfer-Encoding: chunked\r\n",
                                               "Connection: close\r\n",
                                               "Expect: x\r\n",
                                               "ffffffffffffffff",
                                               "-1",
                                               "HTTP/1.1",
                                               "HTTP/2.0",
                                               std::string(20'000, 'x')};

  std::mt19937 random_;
};

// A client's side of one conversation: it sends in pieces, says that it is done with sending and
// reads what comes.
void Converse(int port, Mutator* mutator) {
  const std::string bytes = mutator->Conversation();
  HttpClient client(port);
  const size_t piece_max = 1 + mutator->Below(mutator->Below(2) == 0 ? 10 : 1000);
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = std::min(bytes.size() - at, 1 + mutator->Below(piece_max));
    client.Send(std::string_view(bytes).substr(at, size));
    at += size;
  }
  const auto began = std::chrono::steady_clock::now();
  const std::string response = client.ReadToEnd();
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_LT(took, std::chrono::seconds(5)) << ::testing::PrintToString(bytes);
  if (!response.empty()) {
    EXPECT_TRUE(response.starts_with("HTTP/1.1 ")) << ::testing::PrintToString(response);
  }
}

TEST_F(HttpServerTest, AnyBytesAreAnsweredOrClosed) {
  Start({.idle_timeout = milliseconds(20),
         .header_timeout = milliseconds(20),
         .body_timeout = milliseconds(20)});
  HttpServer& server = *server_;
  std::atomic<bool> done{false};
  std::thread bystander([&server, &done] {
    while (!done.load()) {
      HttpClient client(server.port());
      EXPECT_EQ(client.Post("/echo", "hello").body, "POST /echo hello");
    }
  });
  std::vector<std::thread> talkers;
  for (unsigned seed = 0; seed < 8; ++seed) {
    talkers.emplace_back([&server, seed] {
      Mutator mutator(seed);
      for (int i = 0; i < kNumConversations / 8; ++i) Converse(server.port(), &mutator);
    });
  }
  for (std::thread& talker : talkers) talker.join();
  done.store(true);
  bystander.join();
  HttpClient client(port());
  EXPECT_EQ(client.Get("/echo").status, 200);
}

}  // namespace
}  // namespace atl::coordinator
