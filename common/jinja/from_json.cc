#include "common/jinja/from_json.h"

#include <string>
#include <utility>
#include <vector>

namespace atl::jinja {
namespace {

Value FromList(const std::vector<JsonNode>& list) {
  std::vector<Value> items;
  items.reserve(list.size());
  for (const JsonNode& item : list) items.push_back(FromJson(item));
  return Value::FromList(std::move(items));
}

Value FromObject(const JsonObject& object) {
  Dict dict;
  for (const auto& [key, value] : object.entries()) {
    dict.Set(Value::String(key, Origin::kUser), FromJson(value));
  }
  return Value::FromDict(std::move(dict));
}

Value FromFloat(const JsonNode& node) {
  const bool is_integer = node.digits().find_first_of(".eE") == std::string::npos;
  return is_integer ? Value::BigInt(node.digits()) : Value::Float(node.number());
}

}  // namespace

Value FromJson(const JsonNode& node) {
  switch (node.kind()) {
    case JsonNode::Kind::kNull:
      return Value::None();
    case JsonNode::Kind::kBool:
      return Value::Bool(node.boolean());
    case JsonNode::Kind::kInt:
      return Value::Int(node.integer());
    case JsonNode::Kind::kUint:
      return Value::BigInt(std::to_string(node.unsigned_integer()));
    case JsonNode::Kind::kFloat:
      return FromFloat(node);
    case JsonNode::Kind::kString:
      return Value::String(node.string(), Origin::kUser);
    case JsonNode::Kind::kList:
      return FromList(node.list());
    case JsonNode::Kind::kObject:
      return FromObject(node.object());
  }
  return Value::None();
}

}  // namespace atl::jinja
