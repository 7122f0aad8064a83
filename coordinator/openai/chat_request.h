// What a chat's body says beside its generation fields.
#pragma once

#include <string_view>

#include "coordinator/openai/body_reader.h"
#include "coordinator/openai/request_parser.h"
#include "coordinator/openai/requests.h"

namespace atl::coordinator {

// messages, tools, chat_template_kwargs and add_generation_prompt, which /tokenize takes too.
// `body` is the text that `fields` were read from. A mistake is left in `fields`.
void ReadConversation(const ParseLimits& limits, std::string_view body, Fields* fields,
                      ChatRequest* request);

ChatRequest ReadChat(const ParseLimits& limits, std::string_view body, Fields* fields);

}  // namespace atl::coordinator
