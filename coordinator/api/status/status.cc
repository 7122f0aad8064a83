#include "coordinator/api/status/status.h"

#include <fmt/format.h>

#include "common/text/json_text.h"

namespace atl::coordinator {
namespace {

// Servers that name the same numerics give the same tokens.
constexpr const char* kNumerics = "canonical-1";

}  // namespace

HttpResponse Health() { return {.body = R"({"status":"ok"})"}; }

HttpResponse Ready(const StatusParts& parts) {
  const ReadyState state = parts.engine.ready_state();
  if (state.ready) return {.body = R"({"ready":true})"};
  return {.status = 503,
          .body = fmt::format(R"({{"ready":false,"reason":{}}})", JsonString(state.reason)),
          .headers = {{"Retry-After", "1"}}};
}

HttpResponse Version(const StatusParts& parts) {
  std::string list;
  if (parts.options.kernels) {
    for (const auto& [worker, name] : parts.options.kernels()) {
      list += fmt::format("{}{}:{}", list.empty() ? "" : ",", JsonString(worker), JsonString(name));
    }
  }
  return {.body = fmt::format(R"({{"version":{},"numerics":"{}","kernels":{{{}}}}})",
                              JsonString(parts.options.version), kNumerics, list)};
}

HttpResponse Metrics(const StatusParts& parts) {
  if (parts.options.refresh_metrics) parts.options.refresh_metrics();
  return {.body = parts.registry.Render(), .content_type = Registry::ContentType()};
}

}  // namespace atl::coordinator
