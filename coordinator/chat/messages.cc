#include "coordinator/chat/messages.h"

#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/json_reader.h"

namespace atl::coordinator {

using jinja::Dict;
using jinja::Origin;

absl::StatusOr<TemplateInput> ReadTemplateInput(std::string_view body_json) {
  ATOLL_ASSIGN_OR_RETURN(const jinja::Value body, jinja::ReadJson(body_json));
  if (!body.is_dict()) return InvalidArgument("the request must be a JSON object");
  TemplateInput input;
  if (const jinja::Value* messages = body.dict().Find("messages")) input.messages = *messages;
  if (const jinja::Value* tools = body.dict().Find("tools")) input.tools = *tools;
  if (const jinja::Value* kwargs = body.dict().Find("chat_template_kwargs")) {
    if (!kwargs->is_dict() && !kwargs->is_none()) {
      return InvalidArgument("chat_template_kwargs must be an object");
    }
    input.chat_template_kwargs = *kwargs;
  }
  if (const jinja::Value* generate = body.dict().Find("add_generation_prompt")) {
    if (!generate->is_bool() && !generate->is_none()) {
      return InvalidArgument("add_generation_prompt must be true or false");
    }
    input.add_generation_prompt = generate->Truthy();
  }
  return input;
}

namespace {

// A copy of `dict` with one entry set.
jinja::Value With(const Dict& dict, std::string_view key, jinja::Value value) {
  Dict copy = dict;
  copy.Set(jinja::Value::String(std::string(key), Origin::kUser), std::move(value));
  return jinja::Value::FromDict(std::move(copy));
}

absl::StatusOr<jinja::Value> ParsedArguments(const jinja::Value& arguments,
                                             const std::string& where) {
  if (arguments.text().empty()) return jinja::Value::FromDict(Dict());
  const auto parsed = jinja::ReadJson(arguments.text().view());
  if (!parsed.ok()) return Annotate(parsed.status(), where);
  if (!parsed->is_dict()) {
    return InvalidArgument("{}: the JSON in the string must be an object, not {}", where,
                           parsed->type_name());
  }
  return *parsed;
}

// One tool call; either has `function` or is it.
absl::StatusOr<jinja::Value> ToolCall(const jinja::Value& call, const std::string& where) {
  if (!call.is_dict()) return InvalidArgument("{}: a tool call must be an object", where);
  const jinja::Value* function = call.dict().Find("function");
  if (function != nullptr && !function->is_dict()) {
    return InvalidArgument("{}.function: must be an object", where);
  }
  const Dict& holder = function != nullptr ? function->dict() : call.dict();
  const jinja::Value* arguments = holder.Find("arguments");
  if (arguments == nullptr || !arguments->is_string()) return call;
  const std::string place = where + (function != nullptr ? ".function.arguments" : ".arguments");
  ATOLL_ASSIGN_OR_RETURN(jinja::Value parsed, ParsedArguments(*arguments, place));
  jinja::Value changed = With(holder, "arguments", std::move(parsed));
  return function != nullptr ? With(call.dict(), "function", std::move(changed))
                             : std::move(changed);
}

absl::StatusOr<jinja::Value> Message(const jinja::Value& message, size_t index) {
  const std::string where = fmt::format("messages[{}]", index);
  if (!message.is_dict()) return InvalidArgument("{}: a message must be an object", where);
  jinja::Value result = message;
  const jinja::Value* role = message.dict().Find("role");
  if (index == 0 && role != nullptr && role->is_string() && role->text().view() == "developer") {
    result = With(result.dict(), "role", jinja::Value::String("system", Origin::kUser));
  }
  const jinja::Value* reasoning = message.dict().Find("reasoning");
  if (reasoning != nullptr && reasoning->is_string() &&
      message.dict().Find("reasoning_content") == nullptr) {
    result = With(result.dict(), "reasoning_content", *reasoning);
  }
  const jinja::Value* calls = message.dict().Find("tool_calls");
  if (calls == nullptr || !calls->is_list()) return result;
  std::vector<jinja::Value> changed;
  for (size_t i = 0; i < calls->list().items.size(); ++i) {
    ATOLL_ASSIGN_OR_RETURN(jinja::Value call, ToolCall(calls->list().items[i],
                                                       fmt::format("{}.tool_calls[{}]", where, i)));
    changed.push_back(std::move(call));
  }
  return With(result.dict(), "tool_calls", jinja::Value::FromList(std::move(changed)));
}

}  // namespace

absl::StatusOr<jinja::Value> MessagesFromOpenAi(const jinja::Value& messages) {
  if (!messages.is_list()) return InvalidArgument("messages: a list of messages is required");
  std::vector<jinja::Value> changed;
  for (size_t i = 0; i < messages.list().items.size(); ++i) {
    ATOLL_ASSIGN_OR_RETURN(jinja::Value message, Message(messages.list().items[i], i));
    changed.push_back(std::move(message));
  }
  return jinja::Value::FromList(std::move(changed));
}

}  // namespace atl::coordinator
