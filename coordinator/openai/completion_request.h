// The body of a completion.
#pragma once

#include "coordinator/openai/body_reader.h"
#include "coordinator/openai/request_parser.h"
#include "coordinator/openai/requests.h"

namespace atl::coordinator {

// A mistake is left in `fields`.
CompletionRequest ReadCompletion(const ParseLimits& limits, Fields* fields);

}  // namespace atl::coordinator
