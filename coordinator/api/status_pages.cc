#include "coordinator/api/status_pages.h"

#include <fmt/format.h>

#include "common/text/json_text.h"

namespace atl::coordinator {
namespace {

// What docs/arithmetic.md fixes: servers that name the same numerics give the same tokens.
constexpr const char* kNumerics = "canonical-1";

}  // namespace

std::string ModelJson(const ServedModel& model) {
  return fmt::format(
      R"({{"id":{},"object":"model","created":{},"owned_by":"atoll","max_model_len":{}}})",
      JsonString(model.name), model.created_unix_s, model.max_model_len);
}

std::string ModelListJson(const ServedModel& model) {
  return fmt::format(R"({{"object":"list","data":[{}]}})", ModelJson(model));
}

HttpAnswer ReadyAnswer(const Engine& engine) {
  const ReadyState state = engine.ready_state();
  if (state.ready) return {.body = R"({"ready":true})"};
  return {.status = 503,
          .body = fmt::format(R"({{"ready":false,"reason":{}}})", JsonString(state.reason)),
          .headers = {{"Retry-After", "1"}}};
}

std::string VersionJson(const std::string& version,
                        const std::map<std::string, std::string>& kernels) {
  std::string list;
  for (const auto& [worker, name] : kernels) {
    list += fmt::format("{}{}:{}", list.empty() ? "" : ",", JsonString(worker), JsonString(name));
  }
  return fmt::format(R"({{"version":{},"numerics":"{}","kernels":{{{}}}}})", JsonString(version),
                     kNumerics, list);
}

}  // namespace atl::coordinator
