// Router: which row of the table takes a request. It knows no endpoint, no dialect and no model.
//
//   Router router({{"GET", "/health", "health", "Alive.", handler}}, {&open_calls}, responder);
//   server->Start(router);
#pragma once

#include <string>
#include <vector>

#include "coordinator/api/call.h"
#include "coordinator/api/responder.h"
#include "coordinator/http/http_server.h"

namespace atl::coordinator {

// **Threads**: the I/O thread's. **Lifetime**: `open_calls` and `responder` outlive it.
class Router : public HttpHandler {
 public:
  Router(std::vector<Route> routes, std::vector<OpenCalls*> open_calls, Responder& responder);

  const std::vector<Route>& routes() const { return routes_; }

  void OnRequest(CallId id, HttpRequest request) override;
  void OnGone(CallId id) override;
  HttpResponse OnRefused(int status, const std::string& message) override;
  void OnDrained(CallId id) override;
  void OnTick() override;

 private:
  const Route* Find(const std::string& path) const;

  const std::vector<Route> routes_;
  const std::vector<OpenCalls*> open_calls_;
  Responder& responder_;
  const std::string name_prefix_;  // of calls, another one in each process
};

}  // namespace atl::coordinator
