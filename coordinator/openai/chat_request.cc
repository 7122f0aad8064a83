#include "coordinator/openai/chat_request.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/text/json_text.h"
#include "common/text/printable.h"
#include "coordinator/openai/generation_fields.h"

namespace atl::coordinator {
namespace {

using Json = nlohmann::json;

// nullptr: absent or null.
const Json* Member(const Json& object, const char* key) { return Fields(object).Find(key); }

bool IsString(const Json* value) { return value != nullptr && value->is_string(); }

std::string PartMistake(const Json& part) {
  if (!part.is_object()) {
    return fmt::format("expected parts that are objects, got {}", Found(part));
  }
  const Json* type = Member(part, "type");
  if (type != nullptr && !type->is_string()) {
    return fmt::format("expected a string as the type of a part, got {}", Found(*type));
  }
  if (type != nullptr && *type != "text") {
    return fmt::format("parts of type {} are not supported, only text",
                       JsonString(Printable(type->get_ref<const std::string&>(), 40)));
  }
  return IsString(Member(part, "text")) ? "" : "a text part needs a string in text";
}

// The form of a message's content; what stands in it is the template's affair.
std::string ContentMistake(const Json* content) {
  if (content == nullptr || content->is_string()) return "";
  if (!content->is_array()) {
    return fmt::format("expected a string, a list of parts or null, got {}", Found(*content));
  }
  for (const Json& part : *content) {
    std::string mistake = PartMistake(part);
    if (!mistake.empty()) return mistake;
  }
  return "";
}

void CheckMessages(const ParseLimits& limits, Fields* fields) {
  const Json* messages = fields->Find("messages");
  if (messages == nullptr) return fields->Fail("messages", "this parameter is required");
  if (!messages->is_array()) {
    return fields->Fail("messages",
                        fmt::format("expected a list of messages, got {}", Found(*messages)));
  }
  if (messages->empty() || messages->size() > limits.messages_max) {
    return fields->Fail("messages", fmt::format("expected 1 to {} messages, got {}",
                                                limits.messages_max, messages->size()));
  }
  for (size_t i = 0; i < messages->size(); ++i) {
    const Json& message = (*messages)[i];
    const std::string name = fmt::format("messages[{}]", i);
    if (!message.is_object()) {
      return fields->Fail(name, fmt::format("expected an object, got {}", Found(message)));
    }
    const Json* role = Member(message, "role");
    if (!IsString(role)) {
      return fields->Fail(name + ".role", fmt::format("expected a string, got {}",
                                                      role == nullptr ? "null" : Found(*role)));
    }
    const std::string mistake = ContentMistake(Member(message, "content"));
    if (!mistake.empty()) return fields->Fail(name + ".content", mistake);
  }
}

// True if the tools belong into the prompt.
bool CheckTools(const ParseLimits& limits, Fields* fields) {
  const Json* choice = fields->Find("tool_choice");
  if (choice != nullptr && *choice != "auto" && *choice != "none") {
    fields->Fail("tool_choice", "only \"auto\" and \"none\" are supported");
  }
  const Json* tools = fields->Find("tools");
  if (tools == nullptr) return false;
  if (!tools->is_array() || tools->size() > limits.tools_max) {
    fields->Fail("tools", fmt::format("expected a list of at most {} tools", limits.tools_max));
    return false;
  }
  for (size_t i = 0; i < tools->size(); ++i) {
    const Json& tool = (*tools)[i];
    const Json* function = tool.is_object() ? Member(tool, "function") : nullptr;
    if (function == nullptr || !function->is_object() || !IsString(Member(*function, "name"))) {
      fields->Fail(fmt::format("tools[{}]", i),
                   "expected {\"type\": \"function\", \"function\": {\"name\": …}}");
      return false;
    }
  }
  return !tools->empty() && (choice == nullptr || *choice != "none");
}

// How many alternatives are told with each token; −1: no log-probabilities.
int32_t ReadLogprobs(Fields* fields) {
  const bool told = fields->Bool("logprobs").value_or(false);
  const auto top =
      static_cast<int32_t>(fields->Integer("top_logprobs", 0, kTopLogprobsMax).value_or(0));
  if (top > 0 && !told) fields->Fail("top_logprobs", "only allowed when logprobs is true");
  return told ? top : -1;
}

}  // namespace

void ReadConversation(const ParseLimits& limits, std::string_view body, Fields* fields,
                      ChatRequest* request) {
  CheckMessages(limits, fields);
  const bool with_tools = CheckTools(limits, fields);
  const Json* kwargs = fields->Find("chat_template_kwargs");
  if (kwargs != nullptr && !kwargs->is_object()) {
    fields->Fail("chat_template_kwargs", fmt::format("expected an object, got {}", Found(*kwargs)));
  }
  request->add_generation_prompt = fields->Bool("add_generation_prompt").value_or(true);
  fields->AcceptOnly("continue_final_message", false);
  fields->Refuse("chat_template");
  if (fields->error()) return;
  const auto members = TopLevelMembers(body);
  request->messages = members.at("messages");
  if (with_tools) request->tools = members.at("tools");
  if (kwargs != nullptr) request->chat_template_kwargs = members.at("chat_template_kwargs");
}

ChatRequest ReadChat(const ParseLimits& limits, std::string_view body, Fields* fields) {
  ChatRequest request;
  ReadConversation(limits, body, fields, &request);
  request.generation = ReadGeneration(limits, fields);
  request.generation.top_logprobs = ReadLogprobs(fields);
  fields->AcceptOnly("echo", false);
  fields->AcceptOnly("include_reasoning", true);
  return request;
}

}  // namespace atl::coordinator
