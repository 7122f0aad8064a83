// An error as the response to a request.
#pragma once

#include "absl/time/time.h"
#include "coordinator/http/http_server.h"
#include "coordinator/request/api_error.h"

namespace atl::coordinator {

// 429 and 503 say when to try again.
HttpResponse ErrorResponse(const ApiError& error, absl::Duration retry_after);

}  // namespace atl::coordinator
