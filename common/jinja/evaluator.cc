// Expressions of the interpreter.
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/globals.h"
#include "common/jinja/interpreter.h"
#include "common/jinja/values/printing.h"

namespace atl::jinja {

absl::StatusOr<Value> Interpreter::Evaluate(const Expr& expr) {
  if (depth_ >= budget_.limits().recursion_depth_max) {
    return At(expr.line, InvalidArgument("expressions and macros run more than {} deep",
                                         budget_.limits().recursion_depth_max));
  }
  ++depth_;
  budget_.Charge(1);
  absl::StatusOr<Value> value = EvaluateNode(expr);
  --depth_;
  // Whoever ran out of budget in the middle of a value gave back a part of it.
  if (budget_.exhausted()) return At(expr.line, budget_.status());
  if (!value.ok()) return At(expr.line, value.status());
  return value;
}

absl::StatusOr<Value> Interpreter::EvaluateNode(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kConstant:
      return expr.constant;
    case Expr::Kind::kName:
      return EvaluateName(expr);
    case Expr::Kind::kList:
    case Expr::Kind::kTuple:
      return EvaluateItems(expr);
    case Expr::Kind::kDict:
      return EvaluateDict(expr);
    case Expr::Kind::kAttribute: {
      ATOLL_ASSIGN_OR_RETURN(const Value object, Evaluate(*expr.operands[0]));
      return AttributeOf(object, expr.text);
    }
    case Expr::Kind::kItem: {
      ATOLL_ASSIGN_OR_RETURN(const Value object, Evaluate(*expr.operands[0]));
      ATOLL_ASSIGN_OR_RETURN(const Value key, Evaluate(*expr.operands[1]));
      return ItemOf(budget_, object, key);
    }
    case Expr::Kind::kSlice:
      return EvaluateSlice(expr);
    case Expr::Kind::kCall:
      return EvaluateCall(expr);
    case Expr::Kind::kFilter:
      return EvaluateFilter(expr);
    case Expr::Kind::kTest:
      return EvaluateTest(expr);
    case Expr::Kind::kNot: {
      ATOLL_ASSIGN_OR_RETURN(const Value value, Evaluate(*expr.operands[0]));
      return Value::Bool(!value.Truthy());
    }
    case Expr::Kind::kNegate: {
      ATOLL_ASSIGN_OR_RETURN(const Value value, Evaluate(*expr.operands[0]));
      return Negate(value);
    }
    case Expr::Kind::kPlus: {
      ATOLL_ASSIGN_OR_RETURN(const Value value, Evaluate(*expr.operands[0]));
      if (value.kind() == Value::Kind::kBigInt) return BeyondInt64();
      if (!value.is_number())
        return InvalidArgument("bad operand type for unary +: '{}'", value.type_name());
      return value.is_bool() ? Value::Int(value.integer()) : value;
    }
    case Expr::Kind::kBinary: {
      ATOLL_ASSIGN_OR_RETURN(const Value left, Evaluate(*expr.operands[0]));
      ATOLL_ASSIGN_OR_RETURN(const Value right, Evaluate(*expr.operands[1]));
      return Apply(budget_, expr.binary_op, left, right);
    }
    case Expr::Kind::kConcat:
      return EvaluateConcat(expr);
    case Expr::Kind::kCompare:
      return EvaluateCompare(expr);
    case Expr::Kind::kAnd:
    case Expr::Kind::kOr: {
      ATOLL_ASSIGN_OR_RETURN(Value left, Evaluate(*expr.operands[0]));
      const bool decided = left.Truthy() == (expr.kind == Expr::Kind::kOr);
      return decided ? std::move(left) : Evaluate(*expr.operands[1]);
    }
    case Expr::Kind::kConditional:
      return EvaluateConditional(expr);
  }
  return Value();
}

absl::StatusOr<Value> Interpreter::EvaluateName(const Expr& expr) {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    if (const Value* found = scope->Find(expr.symbol)) return *found;
  }
  return FindGlobal(program_.symbols.NameOf(expr.symbol));
}

absl::StatusOr<Value> Interpreter::EvaluateItems(const Expr& expr) {
  std::vector<Value> items;
  items.reserve(expr.operands.size());
  for (const auto& operand : expr.operands) {
    ATOLL_ASSIGN_OR_RETURN(Value item, Evaluate(*operand));
    items.push_back(std::move(item));
  }
  return expr.kind == Expr::Kind::kTuple ? NewTuple(budget_, std::move(items))
                                         : NewList(budget_, std::move(items));
}

absl::StatusOr<Value> Interpreter::EvaluateDict(const Expr& expr) {
  Dict dict;
  for (size_t i = 0; i < expr.operands.size(); i += 2) {
    ATOLL_ASSIGN_OR_RETURN(Value key, Evaluate(*expr.operands[i]));
    ATOLL_ASSIGN_OR_RETURN(Value value, Evaluate(*expr.operands[i + 1]));
    ATOLL_RETURN_IF_ERROR(SetEntry(budget_, dict, std::move(key), std::move(value)));
  }
  return Value::FromDict(std::move(dict));
}

absl::StatusOr<Value> Interpreter::EvaluateSlice(const Expr& expr) {
  ATOLL_ASSIGN_OR_RETURN(const Value object, Evaluate(*expr.operands[0]));
  Value bounds[3];
  const Value* given[3] = {nullptr, nullptr, nullptr};
  for (size_t i = 0; i < 3; ++i) {
    if (expr.operands[i + 1] == nullptr) continue;
    ATOLL_ASSIGN_OR_RETURN(bounds[i], Evaluate(*expr.operands[i + 1]));
    given[i] = &bounds[i];
  }
  return SliceOf(budget_, object, given[0], given[1], given[2]);
}

absl::StatusOr<Arguments> Interpreter::EvaluateArguments(const Expr& expr) {
  Arguments args;
  for (size_t i = 1; i < expr.operands.size(); ++i) {
    ATOLL_ASSIGN_OR_RETURN(Value value, Evaluate(*expr.operands[i]));
    args.positional.push_back(std::move(value));
  }
  for (const auto& [name, operand] : expr.named) {
    ATOLL_ASSIGN_OR_RETURN(Value value, Evaluate(*operand));
    args.named.emplace_back(name, std::move(value));
  }
  return args;
}

absl::StatusOr<Value> Interpreter::EvaluateCall(const Expr& expr) {
  const Expr& callee_expr = *expr.operands[0];
  Value callee;
  if (callee_expr.kind == Expr::Kind::kAttribute) {
    // A method is called where it stands, without a bound object in between.
    ATOLL_ASSIGN_OR_RETURN(const Value self, Evaluate(*callee_expr.operands[0]));
    if (const MethodFunction method = FindMethod(self, callee_expr.text)) {
      ATOLL_ASSIGN_OR_RETURN(const Arguments args, EvaluateArguments(expr));
      if (self.is_string() && !budget_.ChargeText(self.text().size())) return budget_.status();
      return method(budget_, self, args);
    }
    auto attribute = AttributeOf(self, callee_expr.text);
    if (!attribute.ok()) return attribute.status();
    callee = *std::move(attribute);
  } else {
    ATOLL_ASSIGN_OR_RETURN(callee, Evaluate(callee_expr));
  }
  if (callee.is_undefined()) return InvalidArgument("{}", callee.undefined_why());
  if (!callee.is_object())
    return InvalidArgument("'{}' object is not callable", callee.type_name());
  ATOLL_ASSIGN_OR_RETURN(const Arguments args, EvaluateArguments(expr));
  return callee.object()->Call(budget_, *this, args);
}

absl::StatusOr<Value> Interpreter::EvaluateFilter(const Expr& expr) {
  Value input = block_text_;
  if (expr.operands[0] != nullptr) {
    ATOLL_ASSIGN_OR_RETURN(input, Evaluate(*expr.operands[0]));
  }
  ATOLL_ASSIGN_OR_RETURN(const Arguments args, EvaluateArguments(expr));
  return expr.filter(budget_, input, args);
}

absl::StatusOr<Value> Interpreter::EvaluateTest(const Expr& expr) {
  ATOLL_ASSIGN_OR_RETURN(const Value input, Evaluate(*expr.operands[0]));
  ATOLL_ASSIGN_OR_RETURN(const Arguments args, EvaluateArguments(expr));
  ATOLL_ASSIGN_OR_RETURN(const bool passes, expr.test(budget_, input, args));
  return Value::Bool(passes);
}

absl::StatusOr<Value> Interpreter::EvaluateConcat(const Expr& expr) {
  Text text;
  for (const auto& operand : expr.operands) {
    ATOLL_ASSIGN_OR_RETURN(const Value value, Evaluate(*operand));
    if (value.is_string()) {
      text.Append(value.text());
    } else {
      text.Append(Str(budget_, value));
    }
  }
  return NewText(budget_, std::move(text));
}

absl::StatusOr<Value> Interpreter::EvaluateCompare(const Expr& expr) {
  ATOLL_ASSIGN_OR_RETURN(Value left, Evaluate(*expr.operands[0]));
  for (size_t i = 0; i < expr.compare_ops.size(); ++i) {
    ATOLL_ASSIGN_OR_RETURN(Value right, Evaluate(*expr.operands[i + 1]));
    ATOLL_ASSIGN_OR_RETURN(const bool holds,
                           ApplyCompare(budget_, expr.compare_ops[i], left, right));
    if (!holds) return Value::Bool(false);
    left = std::move(right);
  }
  return Value::Bool(true);
}

absl::StatusOr<Value> Interpreter::EvaluateConditional(const Expr& expr) {
  ATOLL_ASSIGN_OR_RETURN(const Value condition, Evaluate(*expr.operands[0]));
  if (condition.Truthy()) return Evaluate(*expr.operands[1]);
  if (expr.operands[2] != nullptr) return Evaluate(*expr.operands[2]);
  return Value::Undefined(
      "the inline if-expression evaluated to false and no else section was defined.");
}

}  // namespace atl::jinja
