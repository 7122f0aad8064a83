#include "coordinator/api/openai/request/chat_request.h"

#include <fmt/format.h>

#include <utility>

#include "common/text/json_text.h"
#include "common/text/printable.h"
#include "coordinator/api/openai/request/generation_fields.h"

namespace atl::coordinator {
namespace {

// nullptr: absent or null.
const JsonNode* Member(const JsonNode& object, const char* key) { return Fields(object).Find(key); }

bool IsString(const JsonNode* value) { return value != nullptr && value->is_string(); }

std::string PartMistake(const JsonNode& part) {
  if (!part.is_object()) {
    return fmt::format("expected parts that are objects, got {}", Found(part));
  }
  const JsonNode* type = Member(part, "type");
  if (type != nullptr && !type->is_string()) {
    return fmt::format("expected a string as the type of a part, got {}", Found(*type));
  }
  if (type != nullptr && !type->is_string("text")) {
    return fmt::format("parts of type {} are not supported, only text",
                       JsonString(Printable(type->string(), 40)));
  }
  return IsString(Member(part, "text")) ? "" : "a text part needs a string in text";
}

// The form of a message's content; what stands in it is the template's affair.
std::string ContentMistake(const JsonNode* content) {
  if (content == nullptr || content->is_string()) return "";
  if (!content->is_list()) {
    return fmt::format("expected a string, a list of parts or null, got {}", Found(*content));
  }
  for (const JsonNode& part : content->list()) {
    std::string mistake = PartMistake(part);
    if (!mistake.empty()) return mistake;
  }
  return "";
}

void CheckMessages(const ParseLimits& limits, Fields* fields) {
  const JsonNode* messages = fields->Find("messages");
  if (messages == nullptr) return fields->Fail("messages", "this parameter is required");
  if (!messages->is_list()) {
    return fields->Fail("messages",
                        fmt::format("expected a list of messages, got {}", Found(*messages)));
  }
  if (messages->list().empty() || messages->list().size() > limits.messages_max) {
    return fields->Fail("messages", fmt::format("expected 1 to {} messages, got {}",
                                                limits.messages_max, messages->list().size()));
  }
  for (size_t i = 0; i < messages->list().size(); ++i) {
    const JsonNode& message = messages->list()[i];
    const std::string name = fmt::format("messages[{}]", i);
    if (!message.is_object()) {
      return fields->Fail(name, fmt::format("expected an object, got {}", Found(message)));
    }
    const JsonNode* role = Member(message, "role");
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
  const JsonNode* choice = fields->Find("tool_choice");
  if (choice != nullptr && !choice->is_string("auto") && !choice->is_string("none")) {
    fields->Fail("tool_choice", "only \"auto\" and \"none\" are supported");
  }
  const JsonNode* tools = fields->Find("tools");
  if (tools == nullptr) return false;
  if (!tools->is_list() || tools->list().size() > limits.tools_max) {
    fields->Fail("tools", fmt::format("expected a list of at most {} tools", limits.tools_max));
    return false;
  }
  for (size_t i = 0; i < tools->list().size(); ++i) {
    const JsonNode& tool = tools->list()[i];
    const JsonNode* function = tool.is_object() ? Member(tool, "function") : nullptr;
    if (function == nullptr || !function->is_object() || !IsString(Member(*function, "name"))) {
      fields->Fail(fmt::format("tools[{}]", i),
                   "expected {\"type\": \"function\", \"function\": {\"name\": …}}");
      return false;
    }
  }
  return !tools->list().empty() && (choice == nullptr || !choice->is_string("none"));
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

void ReadConversation(const ParseLimits& limits, JsonNode* body, Fields* fields,
                      ChatRequest* request) {
  CheckMessages(limits, fields);
  const bool with_tools = CheckTools(limits, fields);
  const JsonNode* kwargs = fields->Find("chat_template_kwargs");
  if (kwargs != nullptr && !kwargs->is_object()) {
    fields->Fail("chat_template_kwargs", fmt::format("expected an object, got {}", Found(*kwargs)));
  }
  request->add_generation_prompt = fields->Bool("add_generation_prompt").value_or(true);
  fields->AcceptOnly("continue_final_message", "false");
  fields->Refuse("chat_template");
  if (fields->error()) return;
  const auto take = [&](const char* key) { return std::move(*body->object().Find(key)); };
  request->messages = take("messages");
  if (with_tools) request->tools = take("tools");
  if (kwargs != nullptr) request->chat_template_kwargs = take("chat_template_kwargs");
}

ChatRequest ReadChat(const ParseLimits& limits, JsonNode* body, Fields* fields) {
  ChatRequest request;
  ReadConversation(limits, body, fields, &request);
  request.generation = ReadGeneration(limits, fields);
  request.generation.top_logprobs = ReadLogprobs(fields);
  fields->AcceptOnly("echo", "false");
  fields->AcceptOnly("include_reasoning", "true");
  return request;
}

}  // namespace atl::coordinator
