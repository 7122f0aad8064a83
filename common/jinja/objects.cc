#include "common/jinja/objects.h"

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/arguments.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/interpreter.h"

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

namespace {

// `loop.cycle` and `loop.changed`.
class LoopMethod : public Object {
 public:
  enum class Kind { kCycle, kChanged };

  LoopMethod(std::shared_ptr<Loop> loop, Kind kind) : loop_(std::move(loop)), kind_(kind) {}
  std::string_view type_name() const override { return "method"; }
  bool callable() const override { return true; }
  int depth() const override { return loop_->depth() + 1; }
  absl::StatusOr<Value> Call(Budget& budget, Interpreter&, const Arguments& args) override {
    return kind_ == Kind::kCycle ? loop_->Cycle(args) : loop_->Changed(budget, args);
  }

 private:
  const std::shared_ptr<Loop> loop_;
  const Kind kind_;
};

}  // namespace

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
  if (name == "depth") return Value::Int(place_.recursions + 1);
  if (name == "depth0") return Value::Int(place_.recursions);
  if (name == "cycle" || name == "changed") {
    auto self = std::const_pointer_cast<Loop>(shared_from_this());
    return Value::FromObject(std::make_shared<LoopMethod>(
        std::move(self), name == "cycle" ? LoopMethod::Kind::kCycle : LoopMethod::Kind::kChanged));
  }
  if (name == "previtem") {
    return index0_ == 0 ? Value::Undefined("there is no previous item") : items_[index0_ - 1];
  }
  if (name == "nextitem") {
    return index0_ + 1 == count ? Value::Undefined("there is no next item") : items_[index0_ + 1];
  }
  return std::nullopt;
}

absl::StatusOr<Value> Loop::Cycle(const Arguments& args) const {
  if (args.positional.empty()) return InvalidArgument("no items for cycling given");
  return args.positional[index0_ % args.positional.size()];
}

absl::StatusOr<Value> Loop::Changed(Budget& budget, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(Value now, NewTuple(budget, args.positional));
  if (last_changed_.has_value() && Equals(budget, *last_changed_, now)) return Value::Bool(false);
  last_changed_ = std::move(now);
  return Value::Bool(true);
}

absl::StatusOr<Value> Loop::Call(Budget&, Interpreter& interpreter, const Arguments& args) {
  if (!place_.statement.is_recursive) {
    return InvalidArgument("the tag of this loop has no 'recursive', so 'loop' cannot be called");
  }
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("loop", args, {"iterable"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* items, bound.Required(0));
  return interpreter.CallLoop({place_.statement, place_.scope, place_.recursions + 1}, *items);
}

std::optional<Value> Macro::Attribute(std::string_view name) const {
  if (name == "name") return Value::String(definition_.name, Origin::kTemplate);
  return std::nullopt;
}

absl::StatusOr<Value> Macro::Call(Budget&, Interpreter& interpreter, const Arguments& args) {
  return interpreter.CallMacro(definition_, scope_, args);
}

}  // namespace atl::jinja
