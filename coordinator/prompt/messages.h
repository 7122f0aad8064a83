// A request's body into what a template sees.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "common/text/json_tree.h"
#include "coordinator/prompt/chat_template.h"

namespace atl::coordinator {

// Reads messages, tools, chat_template_kwargs and add_generation_prompt (default true) of a JSON
// object as they stand; other fields are ignored. Errors: InvalidArgument, naming the field.
absl::StatusOr<TemplateInput> ReadTemplateInput(std::string_view body_json);

// OpenAI's messages in the form that templates expect; what is right already stays as it is:
//  - the arguments of a tool call, JSON in a string, become the object they spell (an empty string:
//    no arguments);
//  - `reasoning` is also known as `reasoning_content`;
//  - a first message from `developer` is one from `system`; a later one is left to the template,
//    which refuses it.
// Errors: InvalidArgument, as "messages[2].tool_calls[0].function.arguments: ...".
absl::StatusOr<JsonNode> MessagesFromOpenAi(JsonNode messages);

}  // namespace atl::coordinator
