// The small answers: what is served, and how the server is.
#pragma once

#include <map>
#include <string>

#include "coordinator/engine/engine.h"
#include "coordinator/http/http_server.h"
#include "coordinator/prompt/served_model.h"

namespace atl::coordinator {

// GET /v1/models, and one entry of it.
std::string ModelListJson(const ServedModel& model);
std::string ModelJson(const ServedModel& model);

// GET /ready: 200, or 503 with the reason.
HttpAnswer ReadyAnswer(const Engine& engine);

// GET /version; `kernels` by worker.
std::string VersionJson(const std::string& version,
                        const std::map<std::string, std::string>& kernels);

}  // namespace atl::coordinator
