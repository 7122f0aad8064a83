// The body of a completion.
#pragma once

#include "coordinator/api/openai/request/body_reader.h"
#include "coordinator/api/openai/request/request_parser.h"
#include "coordinator/request/api_requests.h"

namespace atl::coordinator {

// A mistake is left in `fields`.
CompletionRequest ReadCompletion(const ParseLimits& limits, Fields* fields);

}  // namespace atl::coordinator
