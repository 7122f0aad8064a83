#include "coordinator/api/openai/request/body_reader.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/check.h"
#include "common/text/printable.h"
#include "common/text/utf8.h"

namespace atl::coordinator {
namespace {

ApiError Unreadable(const std::string& what, const std::string& field) {
  return BadRequest(fmt::format("The request body can not be read: {}.", what), field);
}

ApiError ToApiError(const JsonMistake& mistake, const ParseLimits& limits) {
  const std::string field = Printable(mistake.field);
  switch (mistake.kind) {
    case JsonMistake::Kind::kNumberTooLarge:
      return Unreadable(fmt::format("a number is too large, at byte {}", mistake.byte), field);
    case JsonMistake::Kind::kTooDeep:
      return Unreadable(fmt::format("it is nested deeper than {} levels", limits.depth_max), field);
    case JsonMistake::Kind::kTooManyValues:
      return Unreadable(fmt::format("it holds more than {} JSON values", limits.values_max), field);
    case JsonMistake::Kind::kSyntax:
      break;
  }
  return BadRequest(
      fmt::format("The request body is not valid JSON: unexpected text at byte {}.", mistake.byte),
      "");
}

}  // namespace

std::variant<JsonNode, ApiError> ReadBody(std::string_view body, const ParseLimits& limits) {
  const size_t invalid = FirstInvalidUtf8(body);
  if (invalid != body.size()) {
    return BadRequest(fmt::format("The request body is not valid UTF-8 at byte {}.", invalid), "");
  }
  auto read = ReadJsonTree(body, {.depth_max = limits.depth_max, .values_max = limits.values_max});
  if (const auto* mistake = std::get_if<JsonMistake>(&read)) return ToApiError(*mistake, limits);
  auto& json = std::get<JsonNode>(read);
  if (!json.is_object()) {
    return BadRequest(fmt::format("The request body must be a JSON object, got {}.", Found(json)),
                      "");
  }
  return std::move(json);
}

std::string Found(const JsonNode& value) {
  switch (value.kind()) {
    case JsonNode::Kind::kString:
      return "a string";
    case JsonNode::Kind::kList:
      return "a list";
    case JsonNode::Kind::kObject:
      return "an object";
    case JsonNode::Kind::kNull:
      return "null";
    case JsonNode::Kind::kBool:
      return value.boolean() ? "true" : "false";
    case JsonNode::Kind::kFloat:
      // Its digits may be a million.
      return nlohmann::json(value.number()).dump();
    case JsonNode::Kind::kInt:
    case JsonNode::Kind::kUint:
      return WriteJson(value);
  }
  return "nothing";
}

std::optional<int64_t> IntegerIn(const JsonNode& value, int64_t low, int64_t high) {
  if (!value.is_number()) return std::nullopt;
  const double number = value.number();
  const bool inside = number >= static_cast<double>(low) && number <= static_cast<double>(high);
  if (!inside || std::trunc(number) != number) return std::nullopt;
  return static_cast<int64_t>(number);
}

Fields::Fields(const JsonNode& object, std::string prefix)
    : object_(object), prefix_(std::move(prefix)) {}

void Fields::Fail(const std::string& key, const std::string& what) {
  if (!error_) error_ = BadRequest(fmt::format("{}{}: {}.", prefix_, key, what), prefix_ + key);
}

void Fields::Adopt(const Fields& inner) {
  if (!error_) error_ = inner.error_;
}

const JsonNode* Fields::Find(const char* key) const {
  const JsonNode* value = object_.Find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<bool> Fields::Bool(const char* key) {
  const JsonNode* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->boolean();
  Fail(key, fmt::format("expected true or false, got {}", Found(*value)));
  return std::nullopt;
}

std::optional<std::string> Fields::String(const char* key) {
  const JsonNode* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->string();
  Fail(key, fmt::format("expected a string, got {}", Found(*value)));
  return std::nullopt;
}

std::optional<float> Fields::Float(const char* key, const NumberRange& range) {
  const JsonNode* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const double number = value->number();
    if (number >= range.low && number <= range.high) return static_cast<float>(number) + 0.0f;
  }
  Fail(key, fmt::format("expected a number from {} to {}, got {}", range.low, range.high,
                        Found(*value)));
  return std::nullopt;
}

std::optional<int64_t> Fields::Integer(const char* key, int64_t low, int64_t high) {
  const JsonNode* value = Find(key);
  if (value == nullptr) return std::nullopt;
  const auto number = IntegerIn(*value, low, high);
  if (!number) {
    Fail(key, fmt::format("expected an integer from {} to {}, got {}", low, high, Found(*value)));
  }
  return number;
}

std::vector<TokenId> Fields::Ids(const char* key, size_t size_max, int32_t ids_end) {
  const JsonNode* list = Find(key);
  if (list == nullptr) return {};
  if (!list->is_list()) {
    Fail(key, fmt::format("expected a list of token ids, got {}", Found(*list)));
    return {};
  }
  if (list->list().size() > size_max) {
    Fail(key, fmt::format("expected at most {} token ids, got {}", size_max, list->list().size()));
    return {};
  }
  return ReadIds(*list, key, ids_end, this);
}

void Fields::AcceptOnly(const char* key, std::string_view neutral) {
  const JsonNode* value = Find(key);
  if (value == nullptr) return;
  const auto accepted = ReadJsonTree(neutral, {});
  CHECK(std::holds_alternative<JsonNode>(accepted), "{}: {} is no JSON", key, neutral);
  if (*value != std::get<JsonNode>(accepted)) {
    Fail(key, fmt::format("only {} is supported; leave it out", neutral));
  }
}

void Fields::Refuse(const char* key) {
  if (Find(key) != nullptr) Fail(key, "this parameter is not supported; leave it out");
}

std::vector<TokenId> ReadIds(const JsonNode& list, const std::string& name, int32_t ids_end,
                             Fields* fields) {
  std::vector<TokenId> ids;
  ids.reserve(list.list().size());
  for (const JsonNode& item : list.list()) {
    const auto id = IntegerIn(item, 0, int64_t{ids_end} - 1);
    if (!id) {
      fields->Fail(name, fmt::format("expected token ids from 0 to {}, got a list with {} as "
                                     "number {}",
                                     ids_end - 1, Found(item), ids.size() + 1));
      return {};
    }
    ids.push_back(TokenId{static_cast<int32_t>(*id)});
  }
  return ids;
}

}  // namespace atl::coordinator
