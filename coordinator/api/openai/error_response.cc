#include "coordinator/api/openai/error_response.h"

#include <algorithm>
#include <string>

#include "coordinator/api/openai/request/error_json.h"

namespace atl::coordinator {

HttpResponse ErrorResponse(const ApiError& error, absl::Duration retry_after) {
  HttpResponse response{.status = error.status, .body = ToJson(error)};
  if (error.status == 429 || error.status == 503) {
    const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(retry_after, absl::Seconds(1)));
    response.headers.emplace_back("Retry-After", std::to_string(std::max<int64_t>(seconds, 1)));
  }
  return response;
}

}  // namespace atl::coordinator
