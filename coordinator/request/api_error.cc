#include "coordinator/request/api_error.h"

#include <fmt/format.h>

#include <utility>

#include "common/text/printable.h"

namespace atl::coordinator {
ApiError BadRequest(std::string message, std::string param) {
  return {.status = 400, .message = std::move(message), .param = std::move(param)};
}

ApiError ModelNotFound(const std::string& name) {
  return {.status = 404,
          .message = fmt::format("The model `{}` does not exist; /v1/models lists what is served.",
                                 Printable(name, 200)),
          .param = "model",
          .code = "model_not_found"};
}

ApiError ToApiError(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
      return BadRequest(MessageOf(status), "");
    case absl::StatusCode::kResourceExhausted:
      return {.status = 429,
              .message = MessageOf(status),
              .type = "rate_limit_error",
              .code = "rate_limit_exceeded"};
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return {.status = 503,
              .message = MessageOf(status),
              .type = "service_unavailable_error",
              .code = "service_unavailable"};
    default:
      return {.status = 500,
              .message = "The server failed while it handled the request; its log says more.",
              .type = "server_error",
              .code = "internal_error"};
  }
}

ApiError TooBusy() {
  return ToApiError(ResourceExhausted("The server has too many requests waiting; try again."));
}

}  // namespace atl::coordinator
