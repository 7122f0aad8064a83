// What a chat's body says beside its generation fields.
#pragma once

#include "common/text/json_tree.h"
#include "coordinator/api/openai/request/body_reader.h"
#include "coordinator/api/openai/request/request_parser.h"
#include "coordinator/request/api_requests.h"

namespace atl::coordinator {

// messages, tools, chat_template_kwargs and add_generation_prompt, which /tokenize takes too.
// `fields` are those of `body`, which the trees are moved out of. A mistake is left in `fields`.
void ReadConversation(const ParseLimits& limits, JsonNode* body, Fields* fields,
                      ChatRequest* request);

ChatRequest ReadChat(const ParseLimits& limits, JsonNode* body, Fields* fields);

}  // namespace atl::coordinator
