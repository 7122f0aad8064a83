#include "common/jinja/values/value.h"

#include <algorithm>
#include <cmath>
#include <compare>
#include <limits>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace atl::jinja {

absl::Status BeyondInt64() {
  return InvalidArgument("an integer beyond 64 bits can be printed, but not computed with");
}

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
  return FromSequence({.items = std::move(items), .kind = List::Kind::kList});
}

Value Value::FromTuple(std::vector<Value> items) {
  return FromSequence({.items = std::move(items), .kind = List::Kind::kTuple});
}

Value Value::FromSequence(List list) {
  list.depth = 1;
  for (const Value& item : list.items) list.depth = std::max(list.depth, item.depth() + 1);
  Value value;
  value.data_ = std::make_shared<const List>(std::move(list));
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

namespace {

std::string_view NameOf(List::Kind kind) {
  switch (kind) {
    case List::Kind::kList:
      return "list";
    case List::Kind::kTuple:
      return "tuple";
    case List::Kind::kRange:
      return "range";
    case List::Kind::kKeys:
      return "dict_keys";
    case List::Kind::kValues:
      return "dict_values";
    case List::Kind::kPairs:
      return "dict_items";
  }
  return "?";
}

}  // namespace

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
      return NameOf(list().kind);
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
  if (key.is_list() || key.is_dict() || key.is_object()) return nullptr;
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

absl::StatusOr<Value> Object::Call(Budget&, Interpreter&, const Arguments&) {
  return InvalidArgument("'{}' object is not callable", type_name());
}

namespace {

std::partial_ordering CompareNumbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) return a.integer() <=> b.integer();
  if (!a.is_integer() && !b.is_integer()) return a.number() <=> b.number();
  if (!a.is_integer()) {
    const std::partial_ordering order = CompareNumbers(b, a);
    return order < 0   ? std::partial_ordering::greater
           : order > 0 ? std::partial_ordering::less
                       : order;
  }
  // Exactly, as Python: an int64 may lie between two doubles.
  constexpr double kTwoTo63 = 9223372036854775808.0;
  const double number = b.number();
  if (!(number >= -kTwoTo63 && number < kTwoTo63))
    return std::isnan(number) ? std::partial_ordering::unordered : 0.0 <=> number;
  const auto whole = static_cast<int64_t>(number);
  if (a.integer() != whole) return a.integer() <=> whole;
  return 0.0 <=> number - static_cast<double>(whole);
}

bool EqualLists(Budget& budget, const List& a, const List& b) {
  if (a.kind == List::Kind::kValues) return &a == &b;  // as Python: by identity
  if (a.kind != b.kind || a.items.size() != b.items.size()) return false;
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
  if (a.is_number() && b.is_number())
    return CompareNumbers(a, b) == std::partial_ordering::equivalent;
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
    const std::partial_ordering order = CompareNumbers(a, b);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  if (a.is_string() && b.is_string()) {
    // UTF-8 compares as its code points do.
    if (!budget.ChargeBytes(a.text().size())) return budget.status();
    return a.text().view().compare(b.text().view());
  }
  if (a.is_list() && b.is_list() && a.list().is_plain() && a.list().kind == b.list().kind) {
    const auto& x = a.list().items;
    const auto& y = b.list().items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!Equals(budget, x[i], y[i])) return Compare(budget, x[i], y[i]);
    }
    return x.size() < y.size() ? -1 : x.size() > y.size() ? 1 : 0;
  }
  for (const Value* side : {&a, &b}) {
    if (side->is_undefined()) return InvalidArgument("{}", side->undefined_why());
    if (side->kind() == Value::Kind::kBigInt) return BeyondInt64();
  }
  return InvalidArgument("values of types '{}' and '{}' cannot be ordered", a.type_name(),
                         b.type_name());
}

}  // namespace atl::jinja
