// Statements. Expressions are in evaluator.cc.
#include "common/jinja/interpreter.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/values/printing.h"

namespace atl::jinja {

Interpreter::~Interpreter() {
  for (const auto& scope : captured_) scope->variables.clear();
  for (const auto& space : namespaces_) space->Clear();
}

absl::StatusOr<Text> Interpreter::Run(std::vector<std::pair<std::string, Value>> variables) {
  for (auto& [name, value] : variables) {
    const SymbolId symbol = program_.symbols.Find(name);
    if (symbol >= 0) scope_->Set(symbol, std::move(value));
  }
  const auto flow = Execute(program_.body);
  if (flow.ok()) return std::move(output_);
  if (raised_ || error_line_ == 0) return flow.status();
  return Annotate(flow.status(), fmt::format("template:{}", error_line_));
}

absl::Status Interpreter::Raise(std::string message) {
  raised_ = true;
  return InvalidArgument("{}", message);
}

absl::Status Interpreter::At(int line, absl::Status status) {
  if (!status.ok() && error_line_ == 0) error_line_ = line;
  return status;
}

void Interpreter::PushScope() {
  auto scope = std::make_shared<Scope>();
  scope->parent = scope_;
  scope_ = std::move(scope);
}

absl::StatusOr<Interpreter::Flow> Interpreter::Execute(const Body& body) {
  if (depth_ >= budget_.limits().recursion_depth_max) {
    return InvalidArgument("tags and macros run more than {} deep",
                           budget_.limits().recursion_depth_max);
  }
  ++depth_;
  for (const auto& statement : body) {
    budget_.Charge(1);
    absl::StatusOr<Flow> flow = budget_.exhausted() ? budget_.status() : ExecuteOne(*statement);
    if (!flow.ok()) return At(statement->line, flow.status());
    if (*flow != Flow::kNext) {
      --depth_;
      return flow;
    }
  }
  --depth_;
  return Flow::kNext;
}

absl::StatusOr<Interpreter::Flow> Interpreter::ExecuteOne(const Stmt& statement) {
  switch (statement.kind) {
    case Stmt::Kind::kText:
      ATOLL_RETURN_IF_ERROR(Print(statement.text));
      return Flow::kNext;
    case Stmt::Kind::kPrint: {
      ATOLL_ASSIGN_OR_RETURN(const Value value, Evaluate(*statement.expr));
      ATOLL_RETURN_IF_ERROR(Print(value));
      return Flow::kNext;
    }
    case Stmt::Kind::kIf:
      return ExecuteIf(statement);
    case Stmt::Kind::kFor:
      return ExecuteFor(statement);
    case Stmt::Kind::kSet: {
      ATOLL_ASSIGN_OR_RETURN(const Value value, Evaluate(*statement.expr));
      ATOLL_RETURN_IF_ERROR(Assign(statement.target, value));
      return Flow::kNext;
    }
    case Stmt::Kind::kSetBlock:
      ATOLL_RETURN_IF_ERROR(ExecuteSetBlock(statement));
      return Flow::kNext;
    case Stmt::Kind::kMacro:
      captured_.push_back(scope_);
      scope_->Set(statement.target.symbol,
                  Value::FromObject(std::make_shared<Macro>(*statement.macro, scope_)));
      return Flow::kNext;
    case Stmt::Kind::kCallBlock:
      ATOLL_RETURN_IF_ERROR(ExecuteCallBlock(statement));
      return Flow::kNext;
    case Stmt::Kind::kFilterBlock:
      ATOLL_RETURN_IF_ERROR(ExecuteFilterBlock(statement));
      return Flow::kNext;
    case Stmt::Kind::kWith:
      return ExecuteWith(statement);
    case Stmt::Kind::kScope:
      return Execute(statement.body);
    case Stmt::Kind::kBreak:
      return Flow::kBreak;
    case Stmt::Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

absl::Status Interpreter::Print(const Value& value) {
  if (value.is_undefined()) return absl::OkStatus();
  Text printed;
  const bool is_string = value.is_string();
  if (!is_string) printed = Str(budget_, value);
  const Text& text = is_string ? value.text() : printed;
  const size_t size = output_.size() + text.size();
  if (size > budget_.limits().text_bytes_max) budget_.ChargeText(size);
  if (!budget_.ChargeBytes(text.size())) return budget_.status();
  output_.Append(text);
  return absl::OkStatus();
}

absl::StatusOr<Interpreter::Flow> Interpreter::ExecuteIf(const Stmt& statement) {
  for (const Stmt::Branch& branch : statement.branches) {
    ATOLL_ASSIGN_OR_RETURN(const Value condition, Evaluate(*branch.condition));
    if (condition.Truthy()) return Execute(branch.body);
  }
  return Execute(statement.else_body);
}

absl::StatusOr<std::vector<Value>> Interpreter::LoopItems(const Stmt& statement,
                                                          const Value& iterable) {
  auto items = ItemsOf(budget_, iterable);
  if (!items.ok()) return At(statement.line, items.status());
  if (statement.condition == nullptr) return items;
  std::vector<Value> kept;
  for (Value& item : *items) {
    PushScope();
    ATOLL_RETURN_IF_ERROR(Assign(statement.target, item));
    ATOLL_ASSIGN_OR_RETURN(const Value condition, Evaluate(*statement.condition));
    PopScope();
    if (condition.Truthy()) kept.push_back(std::move(item));
  }
  return kept;
}

absl::StatusOr<Interpreter::Flow> Interpreter::ExecuteFor(const Stmt& statement) {
  ATOLL_ASSIGN_OR_RETURN(const Value iterable, Evaluate(*statement.expr));
  return RunLoop({statement, scope_}, iterable);
}

absl::StatusOr<Value> Interpreter::CallLoop(LoopPlace place, const Value& iterable) {
  const std::shared_ptr<Scope> caller_scope = std::exchange(scope_, place.scope);
  Text outside = std::exchange(output_, Text());
  ATOLL_RETURN_IF_ERROR(RunLoop(place, iterable).status());
  scope_ = caller_scope;
  return NewText(budget_, std::exchange(output_, std::move(outside)));
}

absl::StatusOr<Interpreter::Flow> Interpreter::RunLoop(const LoopPlace& place,
                                                       const Value& iterable) {
  const Stmt& statement = place.statement;
  ATOLL_ASSIGN_OR_RETURN(std::vector<Value> items, LoopItems(statement, iterable));
  if (items.empty()) {
    PushScope();
    ATOLL_ASSIGN_OR_RETURN(const Flow flow, Execute(statement.else_body));
    PopScope();
    return flow;
  }
  int items_depth = 0;
  for (const Value& item : items) items_depth = std::max(items_depth, item.depth());
  if (items_depth > kValueDepthMax) return InvalidArgument("loops hold one another too deep");
  const auto loop = std::make_shared<Loop>(std::move(items), items_depth, place);
  const Value loop_value = Value::FromObject(loop);
  const SymbolId loop_symbol = program_.symbols.Find("loop");
  Flow flow = Flow::kNext;
  for (size_t i = 0; i < loop->items().size() && flow != Flow::kBreak; ++i) {
    loop->set_index0(i);
    if (!budget_.Charge(4)) return budget_.status();
    PushScope();
    if (loop_symbol >= 0) scope_->Set(loop_symbol, loop_value);
    ATOLL_RETURN_IF_ERROR(Assign(statement.target, loop->items()[i]));
    ATOLL_ASSIGN_OR_RETURN(flow, Execute(statement.body));
    PopScope();
  }
  return Flow::kNext;
}

absl::Status Interpreter::Assign(const Target& target, const Value& value) {
  if (!target.attribute.empty()) {
    for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
      const Value* found = scope->Find(target.symbol);
      if (found == nullptr) continue;
      auto* space = found->is_object() ? dynamic_cast<Namespace*>(found->object().get()) : nullptr;
      if (space == nullptr) break;
      space->Set(target.attribute, value);
      return absl::OkStatus();
    }
    return At(target.line, InvalidArgument("cannot assign attribute on non-namespace object"));
  }
  if (target.parts.empty()) {
    scope_->Set(target.symbol, value);
    return absl::OkStatus();
  }
  auto items = ItemsOf(budget_, value);
  if (!items.ok()) return At(target.line, items.status());
  if (items->size() != target.parts.size()) {
    return At(target.line, InvalidArgument("cannot unpack {} values into {} names", items->size(),
                                           target.parts.size()));
  }
  for (size_t i = 0; i < items->size(); ++i)
    ATOLL_RETURN_IF_ERROR(Assign(target.parts[i], (*items)[i]));
  return absl::OkStatus();
}

absl::StatusOr<Value> Interpreter::Capture(const Body& body) {
  Text outside = std::exchange(output_, Text());
  PushScope();
  ATOLL_RETURN_IF_ERROR(Execute(body).status());
  PopScope();
  return NewText(budget_, std::exchange(output_, std::move(outside)));
}

absl::Status Interpreter::ExecuteSetBlock(const Stmt& statement) {
  ATOLL_ASSIGN_OR_RETURN(Value value, Capture(statement.body));
  if (statement.expr != nullptr) {
    block_text_ = std::move(value);
    ATOLL_ASSIGN_OR_RETURN(value, Evaluate(*statement.expr));
  }
  return Assign(statement.target, value);
}

absl::Status Interpreter::ExecuteFilterBlock(const Stmt& statement) {
  ATOLL_ASSIGN_OR_RETURN(block_text_, Capture(statement.body));
  ATOLL_ASSIGN_OR_RETURN(const Value value, Evaluate(*statement.expr));
  return Print(value);
}

absl::Status Interpreter::ExecuteCallBlock(const Stmt& statement) {
  const Expr& call = *statement.expr;
  ATOLL_ASSIGN_OR_RETURN(const Value callee, Evaluate(*call.operands[0]));
  ATOLL_ASSIGN_OR_RETURN(Arguments args, EvaluateArguments(call));
  if (!callee.is_object() || dynamic_cast<Macro*>(callee.object().get()) == nullptr) {
    return InvalidArgument("'{{% call %}}' needs a macro, not {}", callee.type_name());
  }
  captured_.push_back(scope_);
  args.named.emplace_back("caller",
                          Value::FromObject(std::make_shared<Macro>(*statement.macro, scope_)));
  ATOLL_ASSIGN_OR_RETURN(const Value value, callee.object()->Call(budget_, *this, args));
  return Print(value);
}

absl::StatusOr<Interpreter::Flow> Interpreter::ExecuteWith(const Stmt& statement) {
  std::vector<Value> values;  // all of them are evaluated outside
  for (const auto& [target, expr] : statement.assignments) {
    ATOLL_ASSIGN_OR_RETURN(Value value, Evaluate(*expr));
    values.push_back(std::move(value));
  }
  PushScope();
  for (size_t i = 0; i < values.size(); ++i) {
    ATOLL_RETURN_IF_ERROR(Assign(statement.assignments[i].first, values[i]));
  }
  ATOLL_ASSIGN_OR_RETURN(const Flow flow, Execute(statement.body));
  PopScope();
  return flow;
}

absl::StatusOr<Value> Interpreter::CallMacro(const MacroDefinition& macro,
                                             const std::shared_ptr<Scope>& scope,
                                             const Arguments& args) {
  const size_t count = macro.parameters.size();
  if (args.positional.size() > count) {
    return InvalidArgument("macro '{}' takes not more than {} argument(s)", macro.name, count);
  }
  const std::shared_ptr<Scope> caller_scope = std::exchange(scope_, scope);
  PushScope();
  for (const auto& [name, value] : args.named) {
    const SymbolId symbol = program_.symbols.Find(name);
    const auto parameter = std::find(macro.parameters.begin(), macro.parameters.end(), symbol);
    if (parameter == macro.parameters.end() && name != "caller") {
      return InvalidArgument("macro '{}' takes no keyword argument '{}'", macro.name, name);
    }
    if (parameter - macro.parameters.begin() <
        static_cast<std::ptrdiff_t>(args.positional.size())) {
      return InvalidArgument("macro '{}' got two values for '{}'", macro.name, name);
    }
    if (symbol >= 0) scope_->Set(symbol, value);
  }
  for (size_t i = 0; i < count; ++i) {
    const SymbolId symbol = macro.parameters[i];
    if (i < args.positional.size()) {
      scope_->Set(symbol, args.positional[i]);
    } else if (scope_->Find(symbol) == nullptr && i + macro.defaults.size() >= count) {
      ATOLL_ASSIGN_OR_RETURN(Value value,
                             Evaluate(*macro.defaults[i + macro.defaults.size() - count]));
      scope_->Set(symbol, std::move(value));
    } else if (scope_->Find(symbol) == nullptr) {
      scope_->Set(symbol, Value::Undefined("parameter '" + program_.symbols.NameOf(symbol) +
                                           "' was not provided"));
    }
  }
  ATOLL_ASSIGN_OR_RETURN(Value text, Capture(macro.body));
  scope_ = caller_scope;
  return text;
}

}  // namespace atl::jinja
