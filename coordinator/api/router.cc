#include "coordinator/api/router.h"

#include <fmt/format.h>

#include <random>
#include <string_view>
#include <utility>

#include "coordinator/generation/request_ids.h"

namespace atl::coordinator {
namespace {

std::string RandomPrefix() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

bool Covers(std::string_view row, std::string_view path) {
  return row.ends_with('/') ? path.starts_with(row) : path == row;
}

ApiError NoSuchPath(const std::string& path) {
  return {.status = 404,
          .message = fmt::format("There is nothing at {}; see /v1/chat/completions and /v1/models.",
                                 path.substr(0, 200)),
          .code = "not_found"};
}

ApiError WrongMethod(const Route& route, const std::string& method) {
  return {.status = 405,
          .message =
              fmt::format("{} takes {}, not {}.", route.path, route.method, method.substr(0, 20)),
          .code = "method_not_allowed"};
}

}  // namespace

Router::Router(std::vector<Route> routes, std::vector<OpenCalls*> open_calls, Responder& responder)
    : routes_(std::move(routes)),
      open_calls_(std::move(open_calls)),
      responder_(responder),
      name_prefix_(RandomPrefix()) {}

const Route* Router::Find(const std::string& path) const {
  for (const Route& route : routes_) {
    if (Covers(route.path, path)) return &route;
  }
  return nullptr;
}

void Router::OnRequest(CallId id, HttpRequest request) {
  const Route* route = Find(request.path);
  std::string name = fmt::format("{}{:08x}", name_prefix_, static_cast<uint64_t>(id));
  AccessRecord record{.arrived = std::chrono::system_clock::now(),
                      .request_id = RequestIdOf(request.Header("x-request-id"), "req-" + name),
                      .trace_id = TraceIdOf(request.Header("traceparent")),
                      .client = request.client,
                      .endpoint = route == nullptr ? kOtherEndpoint : route->endpoint};
  Call call{.id = id,
            .name = std::move(name),
            .request = std::move(request),
            .record = std::move(record),
            .arrived = responder_.Now()};
  if (route == nullptr) {
    const ApiError error = NoSuchPath(call.request.path);
    return responder_.Refuse(std::move(call), error, Refusal::kNotFound);
  }
  if (call.request.method != route->method) {
    const ApiError error = WrongMethod(*route, call.request.method);
    const bool is_get = std::string_view(route->method) == "GET";
    return responder_.Refuse(std::move(call), error, Refusal::kNotFound,
                             {{"Allow", is_get ? "GET, HEAD" : route->method}});
  }
  route->handler(std::move(call));
}

HttpResponse Router::OnRefused(int status, const std::string& message) {
  return responder_.OnRefused({.status = status, .message = message});
}

void Router::OnGone(CallId id) {
  for (OpenCalls* calls : open_calls_) calls->OnGone(id);
}

void Router::OnDrained(CallId id) {
  for (OpenCalls* calls : open_calls_) calls->OnDrained(id);
}

void Router::OnTick() {
  for (OpenCalls* calls : open_calls_) calls->OnTick();
  responder_.OnTick();
}

}  // namespace atl::coordinator
