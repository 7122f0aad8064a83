#include "common/jinja/globals.h"

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/arguments.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/interpreter.h"
#include "common/jinja/values/printing.h"

namespace atl::jinja {
namespace {

using GlobalFunction = absl::StatusOr<Value> (*)(Interpreter& interpreter, const Arguments& args);

class Global : public Object {
 public:
  explicit Global(GlobalFunction function) : function_(function) {}
  std::string_view type_name() const override { return "function"; }
  bool callable() const override { return true; }
  absl::StatusOr<Value> Call(Budget&, Interpreter& interpreter, const Arguments& args) override {
    return function_(interpreter, args);
  }

 private:
  const GlobalFunction function_;
};

absl::StatusOr<Value> RaiseException(Interpreter& interpreter, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("raise_exception", args, {"message"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* message, bound.Required(0));
  return interpreter.Raise(Str(interpreter.budget(), *message).bytes());
}

absl::StatusOr<Value> MakeNamespace(Interpreter& interpreter, const Arguments& args) {
  auto space = std::make_shared<Namespace>();
  interpreter.Own(space);
  for (const Value& value : args.positional) {
    if (!value.is_dict())
      return InvalidArgument("namespace() takes a dict, not {}", value.type_name());
    for (const auto& [key, item] : value.dict().entries()) {
      if (key.is_string()) space->Set(key.text().view(), item);
    }
  }
  for (const auto& [name, value] : args.named) space->Set(name, value);
  return Value::FromObject(std::move(space));
}

absl::StatusOr<Value> MakeDict(Interpreter& interpreter, const Arguments& args) {
  Dict dict;
  for (const Value& value : args.positional) {
    if (!value.is_dict()) return InvalidArgument("dict() takes a dict, not {}", value.type_name());
    for (const auto& [key, item] : value.dict().entries()) {
      ATOLL_RETURN_IF_ERROR(SetEntry(interpreter.budget(), dict, key, item));
    }
  }
  for (const auto& [name, value] : args.named) {
    ATOLL_RETURN_IF_ERROR(
        SetEntry(interpreter.budget(), dict, Value::String(name, Origin::kTemplate), value));
  }
  return Value::FromDict(std::move(dict));
}

absl::StatusOr<Value> Range(Interpreter& interpreter, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         Bind("range", args, {"start", "stop", "step"}));
  ATOLL_RETURN_IF_ERROR(bound.Required(0).status());
  ATOLL_ASSIGN_OR_RETURN(const int64_t first, bound.NumberOr(0, 0));
  ATOLL_ASSIGN_OR_RETURN(const int64_t second, bound.NumberOr(1, 0));
  ATOLL_ASSIGN_OR_RETURN(const int64_t step, bound.NumberOr(2, 1));
  const int64_t begin = bound[1] == nullptr ? 0 : first;
  const int64_t end = bound[1] == nullptr ? first : second;
  if (step == 0) return InvalidArgument("range() arg 3 must not be zero");
  const int64_t items_max = interpreter.budget().limits().range_items_max;
  std::vector<Value> items;
  for (int64_t value = begin; step > 0 ? value < end : value > end;) {
    if (static_cast<int64_t>(items.size()) == items_max) {
      return InvalidArgument("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).",
                             items_max);
    }
    items.push_back(Value::Int(value));
    if (__builtin_add_overflow(value, step, &value)) break;  // beyond every end
  }
  std::string text = step == 1 ? fmt::format("range({}, {})", begin, end)
                               : fmt::format("range({}, {}, {})", begin, end, step);
  return NewSequence(
      interpreter.budget(),
      {.items = std::move(items), .kind = List::Kind::kRange, .range_text = std::move(text)});
}

struct GlobalEntry {
  std::string_view name;
  GlobalFunction function;
};

constexpr GlobalEntry kGlobals[] = {{"dict", MakeDict},
                                    {"namespace", MakeNamespace},
                                    {"raise_exception", RaiseException},
                                    {"range", Range}};

}  // namespace

Value FindGlobal(std::string_view name) {
  for (const GlobalEntry& entry : kGlobals) {
    if (entry.name == name) return Value::FromObject(std::make_shared<Global>(entry.function));
  }
  if (name == "strftime_now") {
    return Value::Undefined("'strftime_now' is not provided: a prompt may not depend on the clock");
  }
  return Value::Undefined("'" + std::string(name) + "' is undefined");
}

}  // namespace atl::jinja
