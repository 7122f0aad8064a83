// POST /tokenize and /detokenize. Slow on long texts: never on the I/O thread.
#pragma once

#include <string>
#include <variant>

#include "coordinator/prompt/served_model.h"
#include "coordinator/request/api_error.h"
#include "coordinator/request/api_requests.h"

namespace atl::coordinator {

// The body of the answer, or the error. **Threads**: any.
std::variant<std::string, ApiError> Tokenize(const ServedModel& model,
                                             const TokenizeRequest& request);
std::variant<std::string, ApiError> Detokenize(const ServedModel& model,
                                               const DetokenizeRequest& request);

}  // namespace atl::coordinator
