// What went wrong with a request, in words and codes for its sender. A dialect spells it.
//
// What reads a request gives std::variant<T, ApiError>, as only it knows the field at fault. Rooms
// below give absl::Status, and ToApiError says what that means to a client.
#pragma once

#include <string>

#include "common/base/status.h"

namespace atl::coordinator {

struct ApiError {
  int status = 500;     // of HTTP
  std::string message;  // one sentence: what, where, what to do
  std::string type = "invalid_request_error";
  std::string param = {};  // empty: null
  std::string code = {};   // empty: null
};

ApiError BadRequest(std::string message, std::string param);

// 404 in the words of OpenAI's clients.
ApiError ModelNotFound(const std::string& name);

// What a status means to a client: kInvalidArgument and kUnimplemented 400, kResourceExhausted 429,
// kUnavailable and kDeadlineExceeded 503, all else 500 with a sentence that tells nothing of the
// inside.
ApiError ToApiError(const absl::Status& status);

// 429 of a request that finds too many others waiting to be read.
ApiError TooBusy();

}  // namespace atl::coordinator
