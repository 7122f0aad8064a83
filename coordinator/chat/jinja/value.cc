#include "coordinator/chat/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace atl::jinja {

Value Value::Undefined(std::string why) {
  Value value;
  value.data_ = UndefinedType{std::make_shared<const std::string>(std::move(why))};
  return value;
}

Value Value::None() {
  Value value;
  value.data_ = NoneType{};
  return value;
}

Value Value::Bool(bool boolean) {
  Value value;
  value.data_ = boolean;
  return value;
}

Value Value::Int(int64_t integer) {
  Value value;
  value.data_ = integer;
  return value;
}

Value Value::Float(double number) {
  Value value;
  value.data_ = number;
  return value;
}

Value Value::BigInt(std::string digits) {
  Value value;
  value.data_ = BigDigits{std::make_shared<const std::string>(std::move(digits))};
  return value;
}

Value Value::String(Text text) {
  Value value;
  value.data_ = std::make_shared<const Text>(std::move(text));
  return value;
}

Value Value::FromList(std::vector<Value> items) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  Value value;
  value.data_ = std::make_shared<const List>(List{std::move(items), false, depth + 1});
  return value;
}

Value Value::FromTuple(std::vector<Value> items) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  Value value;
  value.data_ = std::make_shared<const List>(List{std::move(items), true, depth + 1});
  return value;
}

Value Value::FromDict(Dict dict) {
  Value value;
  value.data_ = std::make_shared<const Dict>(std::move(dict));
  return value;
}

Value Value::FromObject(std::shared_ptr<Object> object) {
  CHECK(object != nullptr);
  Value value;
  value.data_ = std::move(object);
  return value;
}

const std::string& Value::undefined_why() const {
  static const std::string kUnknown = "the value is undefined";
  const auto& why = std::get<UndefinedType>(data_).why;
  return why == nullptr ? kUnknown : *why;
}

int64_t Value::integer() const {
  return is_bool() ? static_cast<int64_t>(bool_value()) : std::get<int64_t>(data_);
}

double Value::number() const {
  return kind() == Kind::kFloat ? std::get<double>(data_) : static_cast<double>(integer());
}

std::string_view Value::type_name() const {
  switch (kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
    case Kind::kBigInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      return list().is_tuple ? "tuple" : "list";
    case Kind::kDict:
      return "dict";
    case Kind::kObject:
      return object()->type_name();
  }
  return "?";
}

bool Value::Truthy() const {
  switch (kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return integer() != 0;
    case Kind::kFloat:
      return number() != 0;
    case Kind::kString:
      return !text().empty();
    case Kind::kList:
      return !list().items.empty();
    case Kind::kDict:
      return dict().size() != 0;
    case Kind::kBigInt:
    case Kind::kObject:
      return true;
  }
  return false;
}

int Value::depth() const {
  switch (kind()) {
    case Kind::kList:
      return list().depth;
    case Kind::kDict:
      return dict().depth();
    case Kind::kObject:
      return object()->depth();
    default:
      return 0;
  }
}

size_t Dict::IndexOf(std::string_view key) const {
  if (!index_.empty()) {
    const auto found = index_.find(key);
    return found == index_.end() ? entries_.size() : found->second;
  }
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].first.is_string() && entries_[i].first.text().view() == key) return i;
  }
  return entries_.size();
}

size_t Dict::IndexOf(const Value& key) const {
  if (key.is_string()) return IndexOf(key.text().view());
  // Only literals of a template have other keys, and those are few; keys are plain, so the budget
  // is not the caller's.
  Budget budget{Limits{}};
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i].first.is_string() && Equals(budget, entries_[i].first, key)) return i;
  }
  return entries_.size();
}

const Value* Dict::Find(std::string_view key) const {
  const size_t at = IndexOf(key);
  return at == entries_.size() ? nullptr : &entries_[at].second;
}

const Value* Dict::Find(const Value& key) const {
  if (key.is_list() || key.is_dict() || key.is_object() || key.is_undefined()) return nullptr;
  const size_t at = IndexOf(key);
  return at == entries_.size() ? nullptr : &entries_[at].second;
}

void Dict::Set(Value key, Value value) {
  depth_ = std::max(depth_, value.depth() + 1);
  const size_t at = IndexOf(key);
  if (at < entries_.size()) {
    entries_[at].second = std::move(value);
    return;
  }
  entries_.emplace_back(std::move(key), std::move(value));
  if (entries_.size() < kIndexFrom) return;
  for (size_t i = entries_.size() == kIndexFrom ? 0 : at; i < entries_.size(); ++i) {
    if (entries_[i].first.is_string()) index_.emplace(entries_[i].first.text().bytes(), i);
  }
}

std::optional<Value> Object::Attribute(std::string_view) const { return std::nullopt; }

absl::StatusOr<Value> Object::Call(Interpreter&, const Arguments&) {
  return InvalidArgument("'{}' object is not callable", type_name());
}

namespace {

bool EqualLists(Budget& budget, const List& a, const List& b) {
  if (a.is_tuple != b.is_tuple || a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!Equals(budget, a.items[i], b.items[i])) return false;
  }
  return true;
}

bool EqualDicts(Budget& budget, const Dict& a, const Dict& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, value] : a.entries()) {
    const Value* other = b.Find(key);
    if (other == nullptr || !Equals(budget, value, *other)) return false;
  }
  return true;
}

}  // namespace

bool Equals(Budget& budget, const Value& a, const Value& b) {
  if (!budget.Charge(1)) return false;
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.integer() == b.integer();
    return a.number() == b.number();
  }
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::kUndefined:
    case Value::Kind::kNone:
      return true;
    case Value::Kind::kBigInt:
      return a.digits() == b.digits();
    case Value::Kind::kString:
      return budget.ChargeBytes(a.text().size()) && a.text().view() == b.text().view();
    case Value::Kind::kList:
      return EqualLists(budget, a.list(), b.list());
    case Value::Kind::kDict:
      return EqualDicts(budget, a.dict(), b.dict());
    case Value::Kind::kObject:
      return a.object() == b.object();
    default:
      return false;
  }
}

absl::StatusOr<int> Compare(Budget& budget, const Value& a, const Value& b) {
  if (!budget.Charge(1)) return budget.status();
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) {
      return a.integer() < b.integer() ? -1 : a.integer() > b.integer() ? 1 : 0;
    }
    return a.number() < b.number() ? -1 : a.number() > b.number() ? 1 : 0;
  }
  if (a.is_string() && b.is_string()) {
    // UTF-8 compares as its code points do.
    if (!budget.ChargeBytes(a.text().size())) return budget.status();
    return a.text().view().compare(b.text().view());
  }
  if (a.is_list() && b.is_list() && a.list().is_tuple == b.list().is_tuple) {
    const auto& x = a.list().items;
    const auto& y = b.list().items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!Equals(budget, x[i], y[i])) return Compare(budget, x[i], y[i]);
    }
    return x.size() < y.size() ? -1 : x.size() > y.size() ? 1 : 0;
  }
  for (const Value* side : {&a, &b}) {
    if (side->is_undefined()) return InvalidArgument("{}", side->undefined_why());
  }
  return InvalidArgument("values of types '{}' and '{}' cannot be ordered", a.type_name(),
                         b.type_name());
}

}  // namespace atl::jinja
