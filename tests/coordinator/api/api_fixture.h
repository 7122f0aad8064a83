// The API over an engine whose answers the test writes.
#pragma once

#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "coordinator/api/api.h"
#include "tests/coordinator/generation/fake_engine.h"
#include "tests/coordinator/http/http_client.h"
#include "tests/support/fake_clock.h"

namespace atl::coordinator {

constexpr const char* kChat = "/v1/chat/completions";
constexpr const char* kCompletions = "/v1/completions";
constexpr TokenId kImEnd{4065};
constexpr const char* kNoThinking = R"("chat_template_kwargs":{"enable_thinking":false})";

inline const ServedModel& Nano() {
  static const auto model = LoadServedModel({.directory = "tools/nano/checkpoint", .name = "nano"});
  CHECK_OK(model.status());
  return **model;
}

inline std::vector<TokenId> Ids(const std::string& text) {
  const auto ids = Nano().tokenizer->Encode(text, {.special = EncodeOptions::Special::kParse});
  CHECK_OK(ids.status());
  return *ids;
}

inline std::string ChatBody(const std::string& more) {
  return R"({"model":"nano","messages":[{"role":"user","content":"hi"}])" +
         (more.empty() ? "" : "," + more) + "}";
}

// The parsed events of a stream up to [DONE].
inline std::vector<nlohmann::json> ChunksOf(const std::string& body) {
  std::vector<nlohmann::json> chunks;
  for (const std::string& event : EventsOf(body)) {
    if (event != "[DONE]") chunks.push_back(nlohmann::json::parse(event));
  }
  return chunks;
}

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() { Start({}); }
  ~ApiTest() override { server_->Stop(std::chrono::milliseconds(0)); }

  void Start(const HttpOptions& http) {
    if (server_) server_->Stop(std::chrono::milliseconds(0));
    auto server = HttpServer::Listen(http);
    CHECK_OK(server.status());
    server_ = std::move(*server);
    ApiOptions options;
    options.streams.backlog_bytes = http.backlog_bytes;
    options.status.version = "1.2.3";
    options.status.kernels = [] { return std::map<std::string, std::string>{{"0", "avx2"}}; };
    options.access_log = access_log_.get();
    options.clock = &clock_;
    api_ =
        std::make_unique<Api>(ApiParts{Nano(), engine_, *server_, registry_}, std::move(options));
    server_->Start(api_->router());
  }

  // Sends a chat and lets the engine accept it.
  FakeEngine::Submitted Ask(HttpClient* client, const std::string& more) {
    client->Send(PostText(kChat, ChatBody(more)));
    return engine_.AwaitSubmitted();
  }
  std::vector<FakeEngine::Submitted> AwaitSubmitted(size_t count) {
    std::vector<FakeEngine::Submitted> all;
    while (all.size() < count) all.push_back(engine_.AwaitSubmitted());
    return all;
  }
  int port() const { return server_->port(); }

  // On the server's thread, after what was posted before.
  void OnServer(const std::function<void()>& task) {
    std::promise<void> done;
    server_->Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
  // Time passes, then a second strikes.
  void Tick(int64_t ms) {
    clock_.Advance(absl::Milliseconds(ms));
    OnServer([this] { api_->router().OnTick(); });
  }
  bool MetricsHave(const std::string& line) {
    return registry_.Render().find(line) != std::string::npos;
  }

  testing::FakeClock clock_;
  Registry registry_;
  FakeEngine engine_;
  std::unique_ptr<AccessLog> access_log_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Api> api_;
};

}  // namespace atl::coordinator
