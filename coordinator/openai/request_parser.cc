#include "coordinator/openai/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/tokenizer/utf8.h"
#include "coordinator/openai/json_text.h"

namespace atl {
namespace {

using Json = nlohmann::json;

constexpr int64_t kTokensMax = int64_t{1} << 31;

// Reads the body once without keeping it, so that limits are known before memory is spent.
class LimitsHandler : public nlohmann::json_sax<Json> {
 public:
  explicit LimitsHandler(const ParseLimits& limits) : limits_(limits) {}

  bool null() override { return Count(); }
  bool boolean(bool) override { return Count(); }
  bool number_integer(number_integer_t) override { return Count(); }
  bool number_unsigned(number_unsigned_t) override { return Count(); }
  bool number_float(number_float_t, const string_t&) override { return Count(); }
  bool string(string_t&) override { return Count(); }
  bool binary(binary_t&) override { return Count(); }
  bool key(string_t&) override { return true; }
  bool start_object(size_t) override { return Enter(); }
  bool end_object() override { return Leave(); }
  bool start_array(size_t) override { return Enter(); }
  bool end_array() override { return Leave(); }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    message_ =
        fmt::format("The request body is not valid JSON: unexpected text at byte {}.", position);
    return false;
  }

  const std::string& message() const { return message_; }

 private:
  bool Count() {
    if (++values_ <= limits_.values_max) return true;
    message_ = fmt::format("The request body holds more than {} JSON values.", limits_.values_max);
    return false;
  }
  bool Enter() {
    if (++depth_ <= limits_.depth_max) return Count();
    message_ = fmt::format("The request body is nested deeper than {} levels.", limits_.depth_max);
    return false;
  }
  bool Leave() {
    --depth_;
    return true;
  }

  const ParseLimits& limits_;
  size_t values_ = 0;
  int depth_ = 0;
  std::string message_;
};

// "a string", "the number 3", …: what was found instead.
std::string Found(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string:
      return "a string";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    default:
      return value.dump();
  }
}

// Typed reads of one object; null counts as absent, the first mistake sticks.
class Fields {
 public:
  Fields(const Json& object, std::string prefix) : object_(object), prefix_(std::move(prefix)) {}

  const std::optional<ApiError>& error() const { return error_; }

  // nullptr: absent or null.
  const Json* Find(const char* key) const {
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

  void Fail(const std::string& key, const std::string& what) {
    if (!error_) error_ = BadRequest(fmt::format("{}{}: {}.", prefix_, key, what), prefix_ + key);
  }

  std::optional<bool> Bool(const char* key) {
    const Json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) return value->get<bool>();
    Fail(key, fmt::format("expected true or false, got {}", Found(*value)));
    return std::nullopt;
  }

  std::optional<double> Number(const char* key, double low, double high) {
    const Json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number() && value->get<double>() >= low && value->get<double>() <= high) {
      return value->get<double>();
    }
    Fail(key, fmt::format("expected a number from {} to {}, got {}", low, high, Found(*value)));
    return std::nullopt;
  }

  std::optional<int64_t> Integer(const char* key, int64_t low, int64_t high) {
    const Json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    // 16.0 is an integer in JSON's own terms.
    const bool whole =
        value->is_number() && std::trunc(value->get<double>()) == value->get<double>();
    if (whole && value->get<double>() >= static_cast<double>(low) &&
        value->get<double>() <= static_cast<double>(high)) {
      return value->get<int64_t>();
    }
    Fail(key, fmt::format("expected an integer from {} to {}, got {}", low, high, Found(*value)));
    return std::nullopt;
  }

  // A value that changes nothing may be given; any other is a feature that is not there.
  void AcceptOnly(const char* key, const Json& neutral) {
    const Json* value = Find(key);
    if (value != nullptr && *value != neutral) {
      Fail(key, fmt::format("only {} is supported; leave it out", neutral.dump()));
    }
  }

 private:
  const Json& object_;
  std::string prefix_;
  std::optional<ApiError> error_;
};

// What would change the answer and is not there yet. Everything that is not named is ignored.
void RefuseUnsupported(Fields* fields) {
  fields->AcceptOnly("n", 1);
  fields->AcceptOnly("best_of", 1);
  fields->AcceptOnly("use_beam_search", false);
  fields->AcceptOnly("logprobs", false);
  fields->AcceptOnly("top_logprobs", 0);
  fields->AcceptOnly("echo", false);
  fields->AcceptOnly("continue_final_message", false);
  fields->AcceptOnly("presence_penalty", 0);
  fields->AcceptOnly("frequency_penalty", 0);
  fields->AcceptOnly("repetition_penalty", 1);
  fields->AcceptOnly("min_p", 0);
  fields->AcceptOnly("min_tokens", 0);
  fields->AcceptOnly("logit_bias", Json::object());
  fields->AcceptOnly("stop_token_ids", Json::array());
  fields->AcceptOnly("bad_words", Json::array());
  fields->AcceptOnly("modalities", Json::array({"text"}));
  for (const char* key :
       {"functions", "function_call", "audio", "prediction", "prompt_logprobs", "chat_template",
        "structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar"}) {
    if (fields->Find(key) != nullptr)
      fields->Fail(key, "this parameter is not supported; leave it out");
  }
  const Json* format = fields->Find("response_format");
  if (format != nullptr && (!format->is_object() || format->value("type", Json()) != "text")) {
    fields->Fail("response_format", "only {\"type\": \"text\"} is supported; leave it out");
  }
}

void ReadSampling(const ParseLimits& limits, Fields* fields, GenerationFields* request) {
  if (const auto value = fields->Number("temperature", 0, 2)) {
    request->temperature = static_cast<float>(*value);
  }
  if (const auto value = fields->Number("top_p", 0, 1)) {
    request->top_p = static_cast<float>(*value);
    if (!(*request->top_p > 0))
      fields->Fail("top_p", "expected a number above 0 and at most 1, got 0");
  }
  if (const auto value = fields->Integer("top_k", -1, limits.vocab_size)) {
    request->top_k = *value < 0 ? 0 : static_cast<int32_t>(*value);
  }
  if (const Json* seed = fields->Find("seed")) {
    if (seed->is_number_integer()) {
      // Negative seeds are seeds too: the same 64 bits.
      request->seed = seed->is_number_unsigned() ? seed->get<uint64_t>()
                                                 : static_cast<uint64_t>(seed->get<int64_t>());
    } else {
      fields->Fail("seed", fmt::format("expected an integer of 64 bits, got {}", Found(*seed)));
    }
  }
  request->ignore_eos = fields->Bool("ignore_eos").value_or(false);
  request->max_tokens = fields->Integer("max_tokens", 1, kTokensMax);
  // The newer name of the same limit wins where both are given.
  if (const auto value = fields->Integer("max_completion_tokens", 1, kTokensMax)) {
    request->max_tokens = value;
  }
}

void ReadStop(const ParseLimits& limits, Fields* fields, GenerationFields* request) {
  const Json* stop = fields->Find("stop");
  if (stop == nullptr) return;
  const Json list = stop->is_array() ? *stop : Json::array({*stop});
  if (list.size() > limits.stop_strings_max) {
    return fields->Fail("stop", fmt::format("expected at most {} strings, got {}",
                                            limits.stop_strings_max, list.size()));
  }
  for (const Json& item : list) {
    if (!item.is_string()) {
      return fields->Fail("stop", fmt::format("expected a string or a list of strings, got {}{}",
                                              stop->is_array() ? "a list with " : "", Found(item)));
    }
    const auto& text = item.get_ref<const std::string&>();
    if (text.empty()) return fields->Fail("stop", "an empty string can not stop an answer");
    if (text.size() > limits.stop_bytes_max) {
      return fields->Fail("stop", fmt::format("a string of {} bytes, more than the {} allowed",
                                              text.size(), limits.stop_bytes_max));
    }
    request->stop.push_back(text);
  }
}

void ReadStream(Fields* fields, GenerationFields* request) {
  request->stream = fields->Bool("stream").value_or(false);
  const Json* options = fields->Find("stream_options");
  if (options == nullptr) return;
  if (!options->is_object()) {
    return fields->Fail("stream_options",
                        fmt::format("expected an object, got {}", Found(*options)));
  }
  if (!request->stream) {
    return fields->Fail("stream_options", "only allowed when stream is true");
  }
  Fields inner(*options, "stream_options.");
  request->include_usage = inner.Bool("include_usage").value_or(false);
  if (inner.error()) fields->Fail("stream_options", "include_usage must be true or false");
}

// The form of a message's content; what stands in it is the template's affair.
std::string ContentMistake(const Json& content) {
  if (content.is_null() || content.is_string()) return "";
  if (!content.is_array()) {
    return fmt::format("expected a string, a list of parts or null, got {}", Found(content));
  }
  for (const Json& part : content) {
    if (!part.is_object())
      return fmt::format("expected parts that are objects, got {}", Found(part));
    const Json type = part.value("type", Json("text"));
    if (type != "text") {
      return fmt::format("parts of type {} are not supported, only text",
                         Found(type) == "a string" ? type.dump() : Found(type));
    }
    if (!part.value("text", Json()).is_string()) return "a text part needs a string in text";
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
    const Json role = message.value("role", Json());
    if (!role.is_string()) {
      return fields->Fail(name + ".role", fmt::format("expected a string, got {}", Found(role)));
    }
    const std::string mistake = ContentMistake(message.value("content", Json()));
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
    const Json function = tool.is_object() ? tool.value("function", Json()) : Json();
    if (!function.is_object() || !function.value("name", Json()).is_string()) {
      fields->Fail(fmt::format("tools[{}]", i),
                   "expected {\"type\": \"function\", \"function\": {\"name\": …}}");
      return false;
    }
  }
  return !tools->empty() && (choice == nullptr || *choice != "none");
}

void ReadPrompt(const ParseLimits& limits, std::string_view body, Fields* fields,
                ChatRequest* request) {
  CheckMessages(limits, fields);
  const bool with_tools = CheckTools(limits, fields);
  const Json* kwargs = fields->Find("chat_template_kwargs");
  if (kwargs != nullptr && !kwargs->is_object()) {
    fields->Fail("chat_template_kwargs", fmt::format("expected an object, got {}", Found(*kwargs)));
  }
  request->add_generation_prompt = fields->Bool("add_generation_prompt").value_or(true);
  if (fields->error()) return;
  const auto members = TopLevelMembers(body);
  request->messages = members.at("messages");
  if (with_tools) request->tools = members.at("tools");
  if (kwargs != nullptr) request->chat_template_kwargs = members.at("chat_template_kwargs");
}

}  // namespace

std::variant<ChatRequest, ApiError> ParseChatRequest(std::string_view body,
                                                     const ParseLimits& limits) {
  const size_t invalid = FirstInvalidUtf8(body);
  if (invalid != body.size()) {
    return BadRequest(fmt::format("The request body is not valid UTF-8 at byte {}.", invalid), "");
  }
  LimitsHandler handler(limits);
  if (!Json::sax_parse(body, &handler)) return BadRequest(handler.message(), "");
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return BadRequest(fmt::format("The request body must be a JSON object, got {}.", Found(json)),
                      "");
  }
  ChatRequest request;
  Fields fields(json, "");
  if (const Json* model = fields.Find("model")) {
    if (model->is_string()) {
      request.generation.model = model->get<std::string>();
    } else {
      fields.Fail("model", fmt::format("expected a string, got {}", Found(*model)));
    }
  }
  ReadPrompt(limits, body, &fields, &request);
  ReadSampling(limits, &fields, &request.generation);
  ReadStop(limits, &fields, &request.generation);
  ReadStream(&fields, &request.generation);
  RefuseUnsupported(&fields);
  if (fields.error()) return *fields.error();
  return request;
}

}  // namespace atl
