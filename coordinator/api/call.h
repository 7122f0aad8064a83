// A call of the API, and what the router knows of those who take it.
#pragma once

#include <functional>
#include <string>

#include "common/concurrency/clock.h"
#include "coordinator/generation/access_log.h"
#include "coordinator/http/http_server.h"

namespace atl::coordinator {

struct Call {
  CallId id{};
  std::string name;  // unique among all calls of all coordinators
  HttpRequest request;
  AccessRecord record;  // ids, client and endpoint are filled in
  MonotonicTime arrived{};
};

// In metrics and the access log: what no row of the table takes.
inline constexpr const char* kOtherEndpoint = "other";

// Owes the call one response, at once or later. On the I/O thread; must not block.
using CallHandler = std::function<void(Call)>;

// One row of the router's table.
struct Route {
  const char* method;    // "GET", which HEAD is told as, or "POST"
  const char* path;      // one that ends in "/" stands for every path below it
  const char* endpoint;  // in metrics and the access log
  const char* summary;   // one sentence for docs/reference/api.md
  CallHandler handler;
};

// Those who keep calls that wait for their response hear what becomes of the client. Ids of calls
// that they do not keep are to be ignored.
class OpenCalls {
 public:
  virtual ~OpenCalls() = default;
  virtual void OnGone(CallId id) = 0;
  virtual void OnDrained(CallId) {}
  // Once a second.
  virtual void OnTick() {}
};

}  // namespace atl::coordinator
