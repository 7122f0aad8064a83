// What operators and their machines ask: is it alive, is it ready, what is it, how does it fare.
//
//   {"GET", "/ready", "ready", probe([=](const HttpRequest&) { return Ready(parts); })}
#pragma once

#include <functional>
#include <map>
#include <string>

#include "common/metrics/registry.h"
#include "coordinator/engine/engine.h"
#include "coordinator/http/http_server.h"

namespace atl::coordinator {

struct StatusOptions {
  std::string version = "unknown";
  // Kernels by worker, for /version; called on the I/O thread.
  std::function<std::map<std::string, std::string>()> kernels = {};
  std::function<void()> refresh_metrics = {};  // called before /metrics is rendered
};

struct StatusParts {
  const Engine& engine;
  Registry& registry;
  const StatusOptions& options;
};

// GET /health: 200 as long as the process answers.
HttpResponse Health();
// GET /ready: 200, or 503 with the reason.
HttpResponse Ready(const StatusParts& parts);
// GET /version
HttpResponse Version(const StatusParts& parts);
// GET /metrics
HttpResponse Metrics(const StatusParts& parts);

}  // namespace atl::coordinator
