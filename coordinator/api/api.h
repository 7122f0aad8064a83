// The coordinator's API: the table of its endpoints, and what they share. A dialect is a folder of
// its own below this one; its endpoints are rows of the table in api.cc.
//
//   Api api({*model, *engine, *server, registry}, {});
//   server->Start(api.router());
#pragma once

#include <vector>

#include "common/concurrency/clock.h"
#include "common/concurrency/task_pool.h"
#include "common/metrics/registry.h"
#include "coordinator/api/generation_calls.h"
#include "coordinator/api/responder.h"
#include "coordinator/api/router.h"
#include "coordinator/api/status/status.h"
#include "coordinator/api/text_calls.h"
#include "coordinator/engine/engine.h"
#include "coordinator/generation/access_log.h"
#include "coordinator/generation/generation_host.h"
#include "coordinator/generation/request_metrics.h"
#include "coordinator/http/http_server.h"
#include "coordinator/prompt/served_model.h"

namespace atl::coordinator {

struct ApiOptions {
  TaskPoolOptions pool = {.num_threads = 1, .num_waiting_max = 256};
  StreamOptions streams = {.backlog_bytes = HttpOptions{}.backlog_bytes};
  AccessLog* access_log = nullptr;  // outlives the API; null: none is kept
  StatusOptions status = {};
  const Clock* clock = &RealClock();  // outlives the API
};

struct ApiParts {
  const ServedModel& model;
  Engine& engine;
  HttpServer& server;
  Registry& registry;
};

// Acts on the server's thread; parsing, rendering and tokenising run on a pool of its own.
// **Lifetime**: destroy it after HttpServer::Stop and after the engine, before server and model.
class Api {
 public:
  Api(const ApiParts& parts, ApiOptions options);

  Router& router() { return router_; }

 private:
  std::vector<Route> Routes();

  const ApiParts parts_;
  const ApiOptions options_;
  RequestMetrics metrics_;
  Responder responder_;
  GenerationHost host_;
  GenerationCalls generation_calls_;
  TextCalls text_calls_;
  Router router_;
  TaskPool pool_;  // last: its tasks use the rest
};

}  // namespace atl::coordinator
