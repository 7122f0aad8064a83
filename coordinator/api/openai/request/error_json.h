// Errors in the shape that OpenAI's clients read: {"error": {"message", "type", "param", "code"}}.
#pragma once

#include <string>

#include "coordinator/request/api_error.h"

namespace atl::coordinator {

// The whole envelope, on one line.
std::string ToJson(const ApiError& error);

}  // namespace atl::coordinator
