#include "coordinator/chat/jinja/objects.h"

#include "coordinator/chat/jinja/interpreter.h"

namespace atl::jinja {

const Value* Scope::Find(SymbolId symbol) const {
  for (const auto& [id, value] : variables) {
    if (id == symbol) return &value;
  }
  return nullptr;
}

void Scope::Set(SymbolId symbol, Value value) {
  for (auto& [id, old] : variables) {
    if (id != symbol) continue;
    old = std::move(value);
    return;
  }
  variables.emplace_back(symbol, std::move(value));
}

std::optional<Value> Namespace::Attribute(std::string_view name) const {
  for (const auto& [key, value] : attributes_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void Namespace::Set(std::string_view name, Value value) {
  for (auto& [key, old] : attributes_) {
    if (key != name) continue;
    old = std::move(value);
    return;
  }
  attributes_.emplace_back(std::string(name), std::move(value));
}

std::optional<Value> Loop::Attribute(std::string_view name) const {
  const auto number = [](size_t value) { return Value::Int(static_cast<int64_t>(value)); };
  const size_t count = items_.size();
  if (name == "index") return number(index0_ + 1);
  if (name == "index0") return number(index0_);
  if (name == "revindex") return number(count - index0_);
  if (name == "revindex0") return number(count - index0_ - 1);
  if (name == "first") return Value::Bool(index0_ == 0);
  if (name == "last") return Value::Bool(index0_ + 1 == count);
  if (name == "length") return number(count);
  // Only recursive loops, which there are none of, are deeper.
  if (name == "depth") return Value::Int(1);
  if (name == "depth0") return Value::Int(0);
  if (name == "previtem") {
    return index0_ == 0 ? Value::Undefined("there is no previous item") : items_[index0_ - 1];
  }
  if (name == "nextitem") {
    return index0_ + 1 == count ? Value::Undefined("there is no next item") : items_[index0_ + 1];
  }
  return std::nullopt;
}

std::optional<Value> Macro::Attribute(std::string_view name) const {
  if (name == "name") return Value::String(definition_.name, Origin::kTemplate);
  return std::nullopt;
}

absl::StatusOr<Value> Macro::Call(Interpreter& interpreter, const Arguments& args) {
  return interpreter.CallMacro(definition_, scope_, args);
}

}  // namespace atl::jinja
