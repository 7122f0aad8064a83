// The coordinator's face: OpenAI-style HTTP in front of the engine. `request_parser.h` is where a
// request begins, `generation.h` where its answer is made.
//
//   Frontend frontend(*model, *engine, *server, registry, {});
//   server->Start(frontend);
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "common/concurrency/clock.h"
#include "common/concurrency/task_pool.h"
#include "common/metrics/registry.h"
#include "coordinator/engine/engine.h"
#include "coordinator/generation/access_log.h"
#include "coordinator/generation/generation.h"
#include "coordinator/generation/prepare_generation.h"
#include "coordinator/generation/request_metrics.h"
#include "coordinator/generation/token_mailbox.h"
#include "coordinator/http/http_server.h"
#include "coordinator/prompt/served_model.h"
#include "coordinator/request/api_error.h"

namespace atl::coordinator {

struct FrontendOptions {
  TaskPoolOptions pool = {.num_threads = 1, .num_waiting_max = 256};
  StreamOptions streams = {};
  AccessLog* access_log = nullptr;  // outlives the front end; null: none is kept
  std::string version = "unknown";
  // Kernels by worker, for /version; called on the I/O thread.
  std::function<std::map<std::string, std::string>()> kernels = {};
  std::function<void()> refresh_metrics = {};  // called before /metrics is rendered
  const Clock* clock = &RealClock();           // outlives the front end
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
  void OnDrained(ExchangeId id) override;
  void OnTick() override;

 private:
  enum class Action : uint8_t { kChat, kCompletion, kTokenize, kDetokenize, kStatus };
  struct Route {
    const char* path;
    const char* method;
    const char* endpoint;  // in metrics and the access log
    Action action;
  };
  // A request that is answered with no more than the model's text side.
  struct TextTask {
    AccessRecord record;
    MonotonicTime arrived;
  };
  using TextResult = std::variant<std::string, ApiError>;
  static const Route kRoutes[];
  static const Route kOneModel;
  static const Route* FindRoute(const std::string& path);

  AccessRecord RecordOf(const HttpRequest& request, ExchangeId id, const char* endpoint) const;

  void StartGeneration(ExchangeId id, Action action, HttpRequest request, AccessRecord record);
  PrepareResult Prepare(Action action, const std::string& body, int64_t tokens_max) const;
  void OnPrepared(ExchangeId id, PrepareResult result);
  void OnEvents(const std::vector<EngineEvent>& events);
  void EraseIfOver(uint64_t exchange);

  void StartTextTask(ExchangeId id, Action action, HttpRequest request, AccessRecord record);
  TextResult RunTextTask(Action action, const std::string& body) const;
  void OnTextResult(ExchangeId id, const TextResult& result);

  HttpAnswer AnswerStatus(const Route& route, const HttpRequest& request);
  HttpAnswer NoSuchPath(const std::string& path) const;
  HttpAnswer WrongMethod(const Route& route, const std::string& method) const;
  // The answer to what is no generation: counted and logged.
  void Answer(ExchangeId id, const HttpAnswer& answer, AccessRecord record, MonotonicTime arrived);
  // … and to what machines ask all the time: counted only.
  void AnswerProbe(ExchangeId id, HttpAnswer answer, const AccessRecord& record);
  void Refuse(ExchangeId id, const ApiError& error, Refusal why, TextTask task);
  void Log(const AccessRecord& record);

  const ServedModel& model_;
  Engine& engine_;
  HttpServer& server_;
  Registry& registry_;
  const FrontendOptions options_;
  const std::string id_prefix_;
  FrontendMetrics metrics_;
  TokenMailbox mailbox_;
  const GenerationHost host_;
  std::unordered_map<uint64_t, std::unique_ptr<Generation>> generations_;  // by exchange
  std::unordered_map<uint64_t, TextTask> text_tasks_;
  TaskPool pool_;  // last: its tasks use the rest
};

}  // namespace atl::coordinator
