// The coordinator's face: OpenAI-style HTTP in front of the engine. `request_parser.h` is where a
// request begins, `response_stream.h` where its answer is made.
//
//   Frontend frontend(*model, *engine, *server, registry, {});
//   server->Start(frontend);
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "common/concurrency/task_pool.h"
#include "common/metrics/registry.h"
#include "coordinator/engine/engine.h"
#include "coordinator/openai/answer_format.h"
#include "coordinator/openai/api_error.h"
#include "coordinator/frontend/http/http_server.h"
#include "coordinator/frontend/prepare_chat.h"
#include "coordinator/frontend/probe.h"
#include "coordinator/frontend/response_stream.h"
#include "coordinator/frontend/served_model.h"
#include "coordinator/frontend/token_mailbox.h"

namespace atl {

struct FrontendOptions {
  TaskPoolOptions pool = {.num_threads = 1, .num_waiting_max = 256};
  std::string version = "unknown";
  // Kernels by worker, for /version; called on the I/O thread.
  std::function<std::map<std::string, std::string>()> kernels = {};
  std::function<void()> refresh_metrics = {};  // called before /metrics is rendered
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

// Acts on the server's thread; parsing, rendering and tokenising run on a pool of its own.
// **Lifetime**: destroy it after HttpServer::Stop and after the engine, before server and model.
class Frontend : public HttpHandler {
 public:
  Frontend(const ServedModel& model, Engine& engine, HttpServer& server, Registry& registry,
           FrontendOptions options);

  void OnRequest(ExchangeId id, HttpRequest request) override;
  void OnGone(ExchangeId id) override;
  HttpAnswer OnRefused(int status, const std::string& message) override;

 private:
  // A chat request between its arrival and the end of its answer.
  struct Chat {
    std::chrono::steady_clock::time_point last_event;  // arrival, then the last tokens
    std::optional<SeqId> seq;                          // once the engine has accepted it
    std::optional<ResponseStream> stream;
    AnswerHeader header;
    AnswerDelta text;  // of a whole answer
    int64_t prompt_tokens = 0;
    bool streamed = false;
    bool include_usage = false;
    bool begun = false;  // tokens came: a stream's status has gone out
  };
  using ChatResult = std::variant<PreparedChat, ApiError>;

  void StartChat(ExchangeId id, std::string body);
  ChatResult Prepare(const std::string& body) const;
  void OnPrepared(ExchangeId id, ChatResult result);
  void OnEvents(std::vector<EngineEvent> events);
  void OnTokens(ExchangeId id, Chat* chat, const std::vector<TokenId>& tokens);
  void OnEnd(ExchangeId id, Chat* chat, const RequestEnd& end);
  void Complete(ExchangeId id, Chat* chat, const std::string& finish_reason);
  void Fail(ExchangeId id, Chat* chat, const ApiError& error);

  HttpAnswer AnswerFor(const HttpRequest& request, const std::string& endpoint);
  HttpAnswer Models(const std::string& path) const;
  HttpAnswer Ready() const;
  HttpAnswer Version() const;

  const ServedModel& model_;
  Engine& engine_;
  HttpServer& server_;
  Registry& registry_;
  const FrontendOptions options_;
  const std::string id_prefix_;
  FrontendProbe probe_;
  TokenMailbox mailbox_;
  std::unordered_map<uint64_t, Chat> chats_;
  TaskPool pool_;  // last: its tasks use the rest
};

}  // namespace atl
