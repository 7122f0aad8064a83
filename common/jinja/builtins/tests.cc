// What may follow `is`.
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/arguments.h"
#include "common/jinja/builtins/builtins.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/values/printing.h"
#include "common/jinja/values/unicode.h"
#include "common/text/utf8.h"

namespace atl::jinja {
namespace {

// A test without arguments, from a predicate on the value.
template <bool (*kPredicate)(const Value&)>
absl::StatusOr<bool> Plain(Budget&, const Value& input, const Arguments& args) {
  ATOLL_RETURN_IF_ERROR(Bind("the test", args, {}).status());
  return kPredicate(input);
}

bool IsDefined(const Value& value) { return !value.is_undefined(); }
bool IsUndefined(const Value& value) { return value.is_undefined(); }
bool IsNone(const Value& value) { return value.is_none(); }
bool IsBoolean(const Value& value) { return value.is_bool(); }
bool IsTrue(const Value& value) { return value.is_bool() && value.bool_value(); }
bool IsFalse(const Value& value) { return value.is_bool() && !value.bool_value(); }
bool IsInteger(const Value& value) {
  return value.kind() == Value::Kind::kInt || value.kind() == Value::Kind::kBigInt;
}
bool IsFloat(const Value& value) { return value.kind() == Value::Kind::kFloat; }
bool IsNumber(const Value& value) {
  return value.is_number() || value.kind() == Value::Kind::kBigInt;
}
bool IsString(const Value& value) { return value.is_string(); }
bool IsMapping(const Value& value) { return value.is_dict(); }
bool IsSequence(const Value& value) {
  return value.is_string() || (value.is_list() && value.list().has_places()) || value.is_dict() ||
         value.is_undefined();
}
// An undefined value can be called, in Jinja: that is what raises.
bool IsCallable(const Value& value) {
  return value.is_undefined() || (value.is_object() && value.object()->callable());
}
bool IsEscaped(const Value&) { return false; }

template <CompareOp kOp>
absl::StatusOr<bool> Comparison(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("the comparison", args, {"other"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* other, bound.Required(0));
  return ApplyCompare(budget, kOp, input, *other);
}

absl::StatusOr<bool> HasRemainder(Budget& budget, const Value& input, int64_t divisor,
                                  int64_t remainder) {
  ATOLL_ASSIGN_OR_RETURN(const Value result,
                         Apply(budget, BinaryOp::kModulo, input, Value::Int(divisor)));
  return Equals(budget, result, Value::Int(remainder));
}

absl::StatusOr<bool> IsOdd(Budget& budget, const Value& input, const Arguments&) {
  return HasRemainder(budget, input, 2, 1);
}

absl::StatusOr<bool> IsEven(Budget& budget, const Value& input, const Arguments&) {
  return HasRemainder(budget, input, 2, 0);
}

absl::StatusOr<bool> IsDivisibleBy(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("divisibleby", args, {"num"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* divisor, bound.Required(0));
  ATOLL_ASSIGN_OR_RETURN(const Value rest, Apply(budget, BinaryOp::kModulo, input, *divisor));
  return Equals(budget, rest, Value::Int(0));
}

// Identity, which for plain values of one type is equality.
absl::StatusOr<bool> IsSameAs(Budget& budget, const Value& input, const Arguments& args) {
  ATOLL_ASSIGN_OR_RETURN(const BoundArguments bound, Bind("sameas", args, {"other"}));
  ATOLL_ASSIGN_OR_RETURN(const Value* other, bound.Required(0));
  if (input.kind() != other->kind() || input.is_undefined()) return false;
  if (input.is_list()) return &input.list() == &other->list();
  if (input.is_dict()) return &input.dict() == &other->dict();
  return Equals(budget, input, *other);
}

absl::StatusOr<bool> IsFilter(Budget&, const Value& input, const Arguments&) {
  ATOLL_RETURN_IF_ERROR(CheckKey(input));
  return input.is_string() && FindFilter(input.text().view()) != nullptr;
}

absl::StatusOr<bool> IsTest(Budget&, const Value& input, const Arguments&) {
  ATOLL_RETURN_IF_ERROR(CheckKey(input));
  return input.is_string() && FindTest(input.text().view()) != nullptr;
}

// Python's islower and isupper: some letter has that case, and none the other.
absl::StatusOr<bool> HasOnlyCase(Budget& budget, const Value& input, bool (*wanted)(char32_t),
                                 bool (*other)(char32_t)) {
  const Text text = Str(budget, input);
  if (!budget.ChargeBytes(text.size())) return budget.status();
  bool found = false;
  for (size_t offset = 0; offset < text.size();) {
    const Utf8Step point = DecodeUtf8(text.view(), offset);
    if (other(point.code_point)) return false;
    found = found || wanted(point.code_point);
    offset += point.size;
  }
  return found;
}

absl::StatusOr<bool> IsLowerTest(Budget& budget, const Value& input, const Arguments&) {
  return HasOnlyCase(budget, input, IsLower, IsUpper);
}

absl::StatusOr<bool> IsUpperTest(Budget& budget, const Value& input, const Arguments&) {
  return HasOnlyCase(budget, input, IsUpper, IsLower);
}

struct TestEntry {
  std::string_view name;
  TestFunction function;
};

constexpr TestEntry kTests[] = {{"boolean", Plain<IsBoolean>},
                                {"callable", Plain<IsCallable>},
                                {"defined", Plain<IsDefined>},
                                {"divisibleby", IsDivisibleBy},
                                {"escaped", Plain<IsEscaped>},
                                {"even", IsEven},
                                {"false", Plain<IsFalse>},
                                {"filter", IsFilter},
                                {"float", Plain<IsFloat>},
                                {"in", Comparison<CompareOp::kIn>},
                                {"integer", Plain<IsInteger>},
                                {"iterable", Plain<IsIterable>},
                                {"lower", IsLowerTest},
                                {"mapping", Plain<IsMapping>},
                                {"none", Plain<IsNone>},
                                {"number", Plain<IsNumber>},
                                {"odd", IsOdd},
                                {"sameas", IsSameAs},
                                {"sequence", Plain<IsSequence>},
                                {"string", Plain<IsString>},
                                {"test", IsTest},
                                {"true", Plain<IsTrue>},
                                {"undefined", Plain<IsUndefined>},
                                {"upper", IsUpperTest},
                                {"==", Comparison<CompareOp::kEqual>},
                                {"eq", Comparison<CompareOp::kEqual>},
                                {"equalto", Comparison<CompareOp::kEqual>},
                                {"!=", Comparison<CompareOp::kNotEqual>},
                                {"ne", Comparison<CompareOp::kNotEqual>},
                                {">", Comparison<CompareOp::kGreater>},
                                {"gt", Comparison<CompareOp::kGreater>},
                                {"greaterthan", Comparison<CompareOp::kGreater>},
                                {">=", Comparison<CompareOp::kGreaterEqual>},
                                {"ge", Comparison<CompareOp::kGreaterEqual>},
                                {"<", Comparison<CompareOp::kLess>},
                                {"lt", Comparison<CompareOp::kLess>},
                                {"lessthan", Comparison<CompareOp::kLess>},
                                {"<=", Comparison<CompareOp::kLessEqual>},
                                {"le", Comparison<CompareOp::kLessEqual>}};

}  // namespace

TestFunction FindTest(std::string_view name) {
  for (const TestEntry& entry : kTests) {
    if (entry.name == name) return entry.function;
  }
  return nullptr;
}

}  // namespace atl::jinja
