// An error as the answer to a request.
#pragma once

#include "coordinator/engine/engine.h"
#include "coordinator/http/http_server.h"
#include "coordinator/request/api_error.h"

namespace atl::coordinator {

// 429 and 503 say when to try again, as the engine estimates it.
HttpAnswer ErrorAnswer(const ApiError& error, const Engine& engine);

}  // namespace atl::coordinator
