#include "coordinator/prompt/messages.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace atl::coordinator {
namespace {

constexpr JsonTreeLimits kTreeLimits = {.depth_max = 200};

absl::StatusOr<JsonNode> ReadTree(std::string_view text) {
  auto read = ReadJsonTree(text, kTreeLimits);
  if (auto* node = std::get_if<JsonNode>(&read)) return std::move(*node);
  const auto& mistake = std::get<JsonMistake>(read);
  switch (mistake.kind) {
    case JsonMistake::Kind::kNumberTooLarge:
      // Python would read it as infinity, which is not JSON again.
      return InvalidArgument("a number is out of range at byte {}", mistake.byte);
    case JsonMistake::Kind::kTooDeep:
      return InvalidArgument("lists and objects nest deeper than {}", kTreeLimits.depth_max);
    case JsonMistake::Kind::kTooManyValues:
      return InvalidArgument("there are more than {} values", kTreeLimits.values_max);
    case JsonMistake::Kind::kSyntax:
      break;
  }
  return InvalidArgument("this is not valid JSON at byte {}", mistake.byte);
}

// As templates and their errors call it.
std::string_view PythonTypeOf(const JsonNode& node) {
  switch (node.kind()) {
    case JsonNode::Kind::kNull:
      return "NoneType";
    case JsonNode::Kind::kBool:
      return "bool";
    case JsonNode::Kind::kInt:
    case JsonNode::Kind::kUint:
      return "int";
    case JsonNode::Kind::kFloat:
      return node.digits().find_first_of(".eE") == std::string::npos ? "int" : "float";
    case JsonNode::Kind::kString:
      return "str";
    case JsonNode::Kind::kList:
      return "list";
    case JsonNode::Kind::kObject:
      return "dict";
  }
  return "?";
}

absl::StatusOr<JsonNode> ParsedArguments(const std::string& text, const std::string& where) {
  if (text.empty()) return JsonNode(JsonObject());
  auto parsed = ReadTree(text);
  if (!parsed.ok()) return Annotate(parsed.status(), where);
  if (!parsed->is_object()) {
    return InvalidArgument("{}: the JSON in the string must be an object, not {}", where,
                           PythonTypeOf(*parsed));
  }
  return parsed;
}

// One tool call; either has `function` or is it.
absl::Status MapToolCall(const std::string& where, JsonNode* call) {
  if (!call->is_object()) return InvalidArgument("{}: a tool call must be an object", where);
  JsonNode* function = call->object().Find("function");
  if (function != nullptr && !function->is_object()) {
    return InvalidArgument("{}.function: must be an object", where);
  }
  JsonNode* arguments = (function != nullptr ? function : call)->object().Find("arguments");
  if (arguments == nullptr || !arguments->is_string()) return absl::OkStatus();
  const std::string place = where + (function != nullptr ? ".function.arguments" : ".arguments");
  ATOLL_ASSIGN_OR_RETURN(*arguments, ParsedArguments(arguments->string(), place));
  return absl::OkStatus();
}

absl::Status MapMessage(size_t index, JsonNode* message) {
  const std::string where = fmt::format("messages[{}]", index);
  if (!message->is_object()) return InvalidArgument("{}: a message must be an object", where);
  JsonObject& members = message->object();
  JsonNode* role = members.Find("role");
  if (index == 0 && role != nullptr && role->is_string("developer")) {
    *role = JsonNode(std::string("system"));
  }
  const JsonNode* reasoning = members.Find("reasoning");
  if (reasoning != nullptr && reasoning->is_string() &&
      members.Find("reasoning_content") == nullptr) {
    members.Set("reasoning_content", JsonNode(*reasoning));
  }
  JsonNode* calls = members.Find("tool_calls");
  if (calls == nullptr || !calls->is_list()) return absl::OkStatus();
  for (size_t i = 0; i < calls->list().size(); ++i) {
    ATOLL_RETURN_IF_ERROR(
        MapToolCall(fmt::format("{}.tool_calls[{}]", where, i), &calls->list()[i]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TemplateInput> ReadTemplateInput(std::string_view body_json) {
  ATOLL_ASSIGN_OR_RETURN(JsonNode body, ReadTree(body_json));
  if (!body.is_object()) return InvalidArgument("the request must be a JSON object");
  TemplateInput input;
  if (JsonNode* messages = body.object().Find("messages")) input.messages = std::move(*messages);
  if (JsonNode* tools = body.object().Find("tools")) input.tools = std::move(*tools);
  if (JsonNode* kwargs = body.object().Find("chat_template_kwargs")) {
    if (!kwargs->is_object() && !kwargs->is_null()) {
      return InvalidArgument("chat_template_kwargs must be an object");
    }
    input.chat_template_kwargs = std::move(*kwargs);
  }
  if (const JsonNode* generate = body.Find("add_generation_prompt")) {
    if (!generate->is_bool() && !generate->is_null()) {
      return InvalidArgument("add_generation_prompt must be true or false");
    }
    input.add_generation_prompt = generate->is_bool() && generate->boolean();
  }
  return input;
}

absl::StatusOr<JsonNode> MessagesFromOpenAi(JsonNode messages) {
  if (!messages.is_list()) return InvalidArgument("messages: a list of messages is required");
  for (size_t i = 0; i < messages.list().size(); ++i) {
    ATOLL_RETURN_IF_ERROR(MapMessage(i, &messages.list()[i]));
  }
  return messages;
}

}  // namespace atl::coordinator
