// Many connections on one thread, and what one client's load costs the others.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include "tests/coordinator/http/http_fixture.h"

namespace atl::coordinator {
namespace {

using std::chrono::milliseconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

size_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// As many files as the system gives this process.
size_t RaiseFileLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

TEST_F(HttpServerTest, IdleConnectionsCostLittle) {
  constexpr size_t kFilesOfOthers = 100;
  const size_t wanted = kSanitized ? 500 : 4'000;
  const size_t num_clients = std::min(wanted, (RaiseFileLimit() - kFilesOfOthers) / 2);
  Start();
  // One in ten has sent a large body before it falls idle: nothing of that may stay.
  std::vector<std::unique_ptr<HttpClient>> clients;
  const auto add = [&] {
    clients.push_back(std::make_unique<HttpClient>(port()));
    const std::string body(clients.size() % 10 == 0 ? 200'000 : 1, 'x');
    ASSERT_EQ(clients.back()->Post("/echo", body).status, 200);
    clients.back()->Forget();
  };
  while (clients.size() < num_clients / 10) add();
  const size_t before = ResidentBytes();
  while (clients.size() < num_clients) add();
  const size_t bytes_each = (ResidentBytes() - before) / (num_clients - num_clients / 10);
  std::printf("%zu idle connections, %zu resident bytes each, both ends together\n", num_clients,
              bytes_each);
  if (!kSanitized) {
    EXPECT_LT(bytes_each, 4'000u);
  }
  EXPECT_EQ(server_->num_connections(), static_cast<int>(num_clients));
  for (auto& client : clients) ASSERT_EQ(client->Get("/echo").status, 200);
}

TEST_F(HttpServerTest, AcceptingGoesOnWhenFilesAreFreeAgain) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan needs descriptors of its own to look at objects";
#endif
  Start();
  HttpClient first(port());
  EXPECT_EQ(first.Get("/echo").status, 200);
  constexpr int kNumClients = 8;
  std::vector<std::unique_ptr<HttpClient>> clients;
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next_file = dup(0);
  close(next_file);
  // Room for the clients' own ends and for two more.
  const rlimit tight = {static_cast<rlim_t>(next_file) + kNumClients + 2, limit.rlim_max};
  std::promise<void> stopped;  // the server accepts nothing until the clients have their files
  server_->Post([waits = stopped.get_future().share()] { waits.wait(); });
  for (int i = 0; i < kNumClients; ++i) clients.push_back(std::make_unique<HttpClient>(port()));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  stopped.set_value();
  EXPECT_EQ(first.Get("/echo").status, 200);
  for (auto& client : clients) client->Send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  // Each that leaves makes room for another.
  for (auto& client : clients) {
    EXPECT_EQ(client->Receive().status, 200);
    client->CloseNow();
  }
  EXPECT_EQ(first.Get("/echo").status, 200);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

// Time that a thread has run, whoever else wants the processor.
double RunMs(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

// Streams that note how long the server's thread was busy with others when they were written.
class Streams : public HttpHandler {
 public:
  void OnRequest(CallId id, HttpRequest request) override {
    if (request.path == "/stream") {
      server->BeginStream(id, "text/event-stream; charset=utf-8");
      streams_.push_back(id);
      return;
    }
    server->Respond(id, {.body = std::to_string(request.body.size())});
  }
  void OnGone(CallId id) override { std::erase(streams_, id); }
  HttpResponse OnRefused(int status, const std::string& message) override {
    return {.status = status, .body = message};
  }
  // Posted when the thread had run for `posted_ms`.
  void WriteAll(double posted_ms) {
    longest_ms = std::max(longest_ms, RunMs(CLOCK_THREAD_CPUTIME_ID) - posted_ms);
    for (const CallId id : streams_) server->Write(id, "data: {\"text\": \"a token\"}\n\n");
  }

  HttpServer* server = nullptr;
  double longest_ms = 0;

 private:
  std::vector<CallId> streams_;
};

TEST(HttpServerCrowdTest, LargeBodiesDoNotHoldUpStreams) {
  Streams handler;
  ASSERT_OK_AND_ASSIGN(const auto server, HttpServer::Listen({}));
  handler.server = server.get();
  server->Start(handler);
  std::vector<std::unique_ptr<HttpClient>> streams;
  for (int i = 0; i < 16; ++i) {
    streams.push_back(std::make_unique<HttpClient>(server->port()));
    streams.back()->Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_EQ(streams.back()->ReceiveHead().status, 200);
  }
  std::promise<clockid_t> told;
  server->Post([&told] {
    clockid_t clock{};
    pthread_getcpuclockid(pthread_self(), &clock);
    told.set_value(clock);
  });
  const clockid_t clock = told.get_future().get();
  std::atomic<bool> done{false};
  std::thread poster([&] {
    const std::string body(4 << 20, 'x');
    for (int i = 0; i < 10; ++i) {
      HttpClient client(server->port());
      EXPECT_EQ(client.Post("/", body).body, std::to_string(body.size()));
    }
    done.store(true);
  });
  std::promise<void> never;
  const auto pause = never.get_future();
  while (!done.load()) {
    pause.wait_for(milliseconds(2));
    server->Post([&handler, now_ms = RunMs(clock)] { handler.WriteAll(now_ms); });
    for (auto& stream : streams) stream->Sip(1000);
  }
  poster.join();
  server->Stop(milliseconds(0));
  std::printf("the I/O thread was busy for at most %.2f ms beside ten bodies of 4 MB\n",
              handler.longest_ms);
  EXPECT_LT(handler.longest_ms, kSanitized ? 200 : 10);
}

}  // namespace
}  // namespace atl::coordinator
