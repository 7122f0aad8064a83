// Apply and Negate of operations.h: Python's arithmetic on int64 and double, with a clear refusal
// where Python's integers would grow beyond 64 bits.
#include <cmath>
#include <limits>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/operations.h"

namespace atl::jinja {
namespace {

std::string_view Symbol(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return "+";
    case BinaryOp::kSubtract:
      return "-";
    case BinaryOp::kMultiply:
      return "*";
    case BinaryOp::kDivide:
      return "/";
    case BinaryOp::kFloorDivide:
      return "//";
    case BinaryOp::kModulo:
      return "%";
    case BinaryOp::kPower:
      return "**";
  }
  return "?";
}

absl::StatusOr<Value> IntegerPower(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) return InvalidArgument("0 cannot be raised to a negative power");
    return Value::Float(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return BeyondInt64();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return BeyondInt64();
  }
  return Value::Int(result);
}

__extension__ using Uint128 = unsigned __int128;

uint64_t Magnitude(int64_t value) {
  return value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
}

// a / b, rounded once: as doubles the two would be rounded before they are divided.
double Quotient(int64_t a, int64_t b) {
  if (a == 0) return b < 0 ? -0.0 : 0.0;
  const int shift = 64 + __builtin_clzll(Magnitude(a));
  const Uint128 dividend = static_cast<Uint128>(Magnitude(a)) << shift;
  // At least 64 bits, so the last one may say "and more".
  Uint128 quotient = dividend / Magnitude(b);
  if (dividend % Magnitude(b) != 0) quotient |= 1;
  const double result = std::ldexp(static_cast<double>(quotient), -shift);
  return (a < 0) == (b < 0) ? result : -result;
}

absl::StatusOr<Value> OnIntegers(BinaryOp op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case BinaryOp::kAdd:
      if (__builtin_add_overflow(a, b, &result)) return BeyondInt64();
      return Value::Int(result);
    case BinaryOp::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) return BeyondInt64();
      return Value::Int(result);
    case BinaryOp::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) return BeyondInt64();
      return Value::Int(result);
    case BinaryOp::kPower:
      return IntegerPower(a, b);
    default:
      break;
  }
  if (b == 0) return InvalidArgument("division by zero");
  if (op == BinaryOp::kDivide) return Value::Float(Quotient(a, b));
  if (b == -1) {  // the smallest int64 has no negative
    if (op == BinaryOp::kModulo) return Value::Int(0);
    if (__builtin_sub_overflow(int64_t{0}, a, &result)) return BeyondInt64();
    return Value::Int(result);
  }
  // Python rounds towards minus infinity, C towards zero.
  const int64_t remainder = a % b;
  const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
  if (op == BinaryOp::kModulo) return Value::Int(adjust ? remainder + b : remainder);
  return Value::Int(a / b - (adjust ? 1 : 0));
}

absl::StatusOr<Value> OnFloats(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return Value::Float(a + b);
    case BinaryOp::kSubtract:
      return Value::Float(a - b);
    case BinaryOp::kMultiply:
      return Value::Float(a * b);
    case BinaryOp::kPower: {
      const double power = std::pow(a, b);
      if (!std::isfinite(power) && std::isfinite(a) && std::isfinite(b)) {
        return InvalidArgument("the result of '**' is no finite number");
      }
      return Value::Float(power);
    }
    default:
      break;
  }
  if (b == 0) return InvalidArgument("float division by zero");
  if (op == BinaryOp::kDivide) return Value::Float(a / b);
  double remainder = std::fmod(a, b);
  if (remainder != 0 && (remainder < 0) != (b < 0)) remainder += b;
  if (op == BinaryOp::kModulo)
    return Value::Float(remainder == 0 ? std::copysign(0.0, b) : remainder);
  const double quotient = (a - remainder) / b;
  const double floor = std::floor(quotient);
  return Value::Float(quotient - floor > 0.5 ? floor + 1 : floor);
}

absl::StatusOr<Value> Repeat(Budget& budget, const Value& sequence, int64_t times) {
  const auto count = static_cast<uint64_t>(std::max<int64_t>(times, 0));
  if (sequence.is_string()) {
    const Text& text = sequence.text();
    if (text.empty()) return sequence;
    if (count > budget.limits().text_bytes_max / text.size()) {
      budget.ChargeText(budget.limits().text_bytes_max + 1);
      return budget.status();
    }
    if (!budget.Charge(count)) return budget.status();
    Text result;
    for (uint64_t i = 0; i < count; ++i) result.Append(text);
    return NewText(budget, std::move(result));
  }
  const auto& items = sequence.list().items;
  std::vector<Value> result;
  if (items.empty()) return sequence;
  if (count > budget.limits().steps_max / items.size() || !budget.Charge(count * items.size())) {
    budget.Charge(budget.limits().steps_max);
    return budget.status();
  }
  for (uint64_t i = 0; i < count; ++i) result.insert(result.end(), items.begin(), items.end());
  return sequence.list().kind == List::Kind::kTuple ? NewTuple(budget, std::move(result))
                                                    : NewList(budget, std::move(result));
}

absl::StatusOr<Value> Join(Budget& budget, const Value& left, const Value& right) {
  if (left.is_string()) {
    if (!budget.ChargeText(left.text().size() + right.text().size())) return budget.status();
    Text text = left.text();
    text.Append(right.text());
    return Value::String(std::move(text));
  }
  std::vector<Value> items = left.list().items;
  items.insert(items.end(), right.list().items.begin(), right.list().items.end());
  return left.list().kind == List::Kind::kTuple ? NewTuple(budget, std::move(items))
                                                : NewList(budget, std::move(items));
}

bool IsSequence(const Value& value) {
  return value.is_string() || (value.is_list() && value.list().is_plain());
}

}  // namespace

absl::StatusOr<Value> Apply(Budget& budget, BinaryOp op, const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) {
    if (left.is_integer() && right.is_integer())
      return OnIntegers(op, left.integer(), right.integer());
    return OnFloats(op, left.number(), right.number());
  }
  if (op == BinaryOp::kModulo && left.is_string()) {
    return Unimplemented("formatting a string with '%' is not supported");
  }
  for (const Value* side : {&left, &right}) {
    if (side->is_undefined()) return InvalidArgument("{}", side->undefined_why());
    if (side->kind() == Value::Kind::kBigInt) return BeyondInt64();
  }
  if (op == BinaryOp::kAdd && IsSequence(left) && left.kind() == right.kind() &&
      (left.is_string() || left.list().kind == right.list().kind)) {
    return Join(budget, left, right);
  }
  if (op == BinaryOp::kMultiply && IsSequence(left) && right.is_integer()) {
    return Repeat(budget, left, right.integer());
  }
  if (op == BinaryOp::kMultiply && left.is_integer() && IsSequence(right)) {
    return Repeat(budget, right, left.integer());
  }
  return InvalidArgument("unsupported operand types for {}: '{}' and '{}'", Symbol(op),
                         left.type_name(), right.type_name());
}

absl::StatusOr<Value> Negate(const Value& value) {
  if (value.is_undefined()) return InvalidArgument("{}", value.undefined_why());
  if (value.kind() == Value::Kind::kFloat) return Value::Float(-value.number());
  if (value.kind() == Value::Kind::kBigInt) return BeyondInt64();
  if (!value.is_integer())
    return InvalidArgument("bad operand type for unary -: '{}'", value.type_name());
  int64_t result = 0;
  if (__builtin_sub_overflow(int64_t{0}, value.integer(), &result)) return BeyondInt64();
  return Value::Int(result);
}

}  // namespace atl::jinja
