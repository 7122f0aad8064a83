// The fields that chats and completions share.
#pragma once

#include "coordinator/api/openai/request/body_reader.h"
#include "coordinator/api/openai/request/request_parser.h"
#include "coordinator/request/api_requests.h"

namespace atl::coordinator {

// Reads them all, `n` included; `logprobs` differs between the two and is left to them. Refuses by
// name what is known but not there. A mistake is left in `fields`.
GenerationFields ReadGeneration(const ParseLimits& limits, Fields* fields);

}  // namespace atl::coordinator
