#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/arguments.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/builtins/tables.h"
#include "common/jinja/values/printing.h"

namespace atl::jinja {
namespace {

template <List::Kind kView>
absl::StatusOr<Value> View(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(BindPositional("keys, values or items", args, {}).status());
  std::vector<Value> parts;
  for (const auto& [key, value] : self.dict().entries()) {
    parts.push_back(kView == List::Kind::kKeys     ? key
                    : kView == List::Kind::kValues ? value
                                                   : Value::FromTuple({key, value}));
  }
  return NewSequence(budget, {.items = std::move(parts), .kind = kView});
}

absl::StatusOr<Value> Get(Budget&, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound,
                         BindPositional("get", args, {"key", "default"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* key, bound.Required(0));
  ATOLL_RETURN_IF_ERROR(CheckKey(*key));
  if (const Value* found = self.dict().Find(*key)) return *found;
  return bound[1] == nullptr ? Value::None() : *bound[1];
}

absl::StatusOr<Value> Copy(Budget&, const Value& self, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(BindPositional("copy", args, {}).status());
  return self;  // nothing can change it
}

absl::StatusOr<Value> CountItem(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, BindPositional("count", args, {"value"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* wanted, bound.Required(0));
  int64_t count = 0;
  for (const Value& item : self.list().items) count += Equals(budget, item, *wanted);
  return Value::Int(count);
}

absl::StatusOr<Value> IndexOfItem(Budget& budget, const Value& self, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, BindPositional("index", args, {"value"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* wanted, bound.Required(0));
  const auto& items = self.list().items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (Equals(budget, items[i], *wanted)) return Value::Int(static_cast<int64_t>(i));
  }
  return InvalidArgument("{} is not in list", Repr(budget, *wanted).bytes());
}

// As Jinja's immutable sandbox: a rendering changes nothing that it was given.
absl::StatusOr<Value> Unsafe(Budget&, const Value& self, const Arguments&) {
  return InvalidArgument("a method that changes a '{}' object is unsafe; build a new one with '+'",
                         self.type_name());
}

constexpr MethodEntry kDictMethods[] = {{"clear", Unsafe},
                                        {"copy", Copy},
                                        {"get", Get},
                                        {"items", View<List::Kind::kPairs>},
                                        {"keys", View<List::Kind::kKeys>},
                                        {"pop", Unsafe},
                                        {"popitem", Unsafe},
                                        {"setdefault", Unsafe},
                                        {"update", Unsafe},
                                        {"values", View<List::Kind::kValues>}};

constexpr MethodEntry kListMethods[] = {
    {"append", Unsafe}, {"clear", Unsafe},      {"copy", Copy},     {"count", CountItem},
    {"extend", Unsafe}, {"index", IndexOfItem}, {"insert", Unsafe}, {"pop", Unsafe},
    {"remove", Unsafe}, {"reverse", Unsafe},    {"sort", Unsafe}};

class BoundMethod : public Object {
 public:
  BoundMethod(Value self, MethodFunction method) : self_(std::move(self)), method_(method) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  bool callable() const override { return true; }
  int depth() const override { return self_.depth() + 1; }
  absl::StatusOr<Value> Call(Budget& budget, Interpreter&, const Arguments& args) override {
    return method_(budget, self_, args);
  }

 private:
  const Value self_;
  const MethodFunction method_;
};

}  // namespace

std::span<const MethodEntry> DictMethods() { return kDictMethods; }
std::span<const MethodEntry> ListMethods() { return kListMethods; }

MethodFunction FindMethod(const Value& self, std::string_view name) {
  std::span<const MethodEntry> table;
  if (self.is_string()) table = StringMethods();
  if (self.is_dict()) table = DictMethods();
  if (self.is_list() && self.list().has_places()) table = ListMethods();
  for (const MethodEntry& entry : table) {
    if (entry.name == name) return entry.function;
  }
  return nullptr;
}

Value BindMethod(const Value& self, MethodFunction method) {
  return Value::FromObject(std::make_shared<BoundMethod>(self, method));
}

}  // namespace atl::jinja
