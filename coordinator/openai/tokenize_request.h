// The bodies of /tokenize and /detokenize, in vLLM's form.
#pragma once

#include <string_view>

#include "coordinator/openai/body_reader.h"
#include "coordinator/openai/request_parser.h"
#include "coordinator/openai/requests.h"

namespace atl::coordinator {

// A mistake is left in `fields`.
TokenizeRequest ReadTokenize(const ParseLimits& limits, std::string_view body, Fields* fields);
DetokenizeRequest ReadDetokenize(const ParseLimits& limits, Fields* fields);

}  // namespace atl::coordinator
