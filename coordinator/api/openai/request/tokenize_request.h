// The bodies of /tokenize and /detokenize, in vLLM's form.
#pragma once

#include "common/text/json_tree.h"
#include "coordinator/api/openai/request/body_reader.h"
#include "coordinator/api/openai/request/request_parser.h"
#include "coordinator/request/api_requests.h"

namespace atl::coordinator {

// A mistake is left in `fields`, which are those of `body`.
TokenizeRequest ReadTokenize(const ParseLimits& limits, JsonNode* body, Fields* fields);
DetokenizeRequest ReadDetokenize(const ParseLimits& limits, Fields* fields);

}  // namespace atl::coordinator
