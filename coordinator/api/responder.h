// Responder: answers calls that are no generations, counts them and writes them down.
#pragma once

#include <functional>

#include "common/concurrency/clock.h"
#include "coordinator/api/call.h"
#include "coordinator/generation/access_log.h"
#include "coordinator/generation/request_metrics.h"
#include "coordinator/http/http_server.h"
#include "coordinator/request/api_error.h"

namespace atl::coordinator {

// All of it outlives the responder.
struct ResponderParts {
  HttpServer& server;
  RequestMetrics& metrics;
  AccessLog* access_log;  // may be null
  const Clock& clock;
  // An error in the words of the server's first dialect.
  std::function<HttpResponse(const ApiError&)> spell_error;
};

// **Threads**: the I/O thread's.
class Responder {
 public:
  explicit Responder(ResponderParts parts);

  MonotonicTime Now() const { return parts_.clock.Now(); }

  // Counted and logged.
  void Respond(Call call, HttpResponse response);
  // Counted only: what machines ask all the time.
  void RespondUnlogged(const Call& call, HttpResponse response);
  // `headers` beside those of the error.
  void Refuse(Call call, const ApiError& error, Refusal why, const HttpHeaders& headers = {});
  // The client went away before its response.
  void OnGone(Call call);

  // The response to what the HTTP server itself refuses: no call came of it.
  HttpResponse OnRefused(const ApiError& error);
  // Once a second.
  void OnTick();

 private:
  void Log(const AccessRecord& record);

  const ResponderParts parts_;
};

}  // namespace atl::coordinator
