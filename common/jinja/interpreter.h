// Runs a Program.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/jinja/objects.h"
#include "common/jinja/syntax/ast.h"
#include "common/jinja/values/budget.h"
#include "common/jinja/values/value.h"

namespace atl::jinja {

// One rendering; not to be used again. **Threads**: one. **Lifetime**: `program` outlives it.
class Interpreter {
 public:
  Interpreter(const Program& program, const Limits& limits) : program_(program), budget_(limits) {}
  ~Interpreter();

  // Errors: InvalidArgument "template:N: ..."; what the template itself raises comes back as its
  // message and nothing else.
  absl::StatusOr<Text> Run(std::vector<std::pair<std::string, Value>> variables);

  // For what is called from a template:
  Budget& budget() { return budget_; }
  absl::StatusOr<Value> CallMacro(const MacroDefinition& macro, const std::shared_ptr<Scope>& scope,
                                  const Arguments& args);
  // What the loop prints for other items.
  absl::StatusOr<Value> CallLoop(LoopPlace place, const Value& iterable);
  absl::Status Raise(std::string message);
  // Namespaces may hold themselves in a circle; those made here are emptied in the end.
  void Own(std::shared_ptr<Namespace> space) { namespaces_.push_back(std::move(space)); }

 private:
  enum class Flow { kNext, kBreak, kContinue };

  absl::StatusOr<Flow> Execute(const Body& body);
  absl::StatusOr<Flow> ExecuteOne(const Stmt& statement);
  absl::StatusOr<Flow> ExecuteIf(const Stmt& statement);
  absl::StatusOr<Flow> ExecuteFor(const Stmt& statement);
  absl::StatusOr<std::vector<Value>> LoopItems(const Stmt& statement, const Value& iterable);
  absl::StatusOr<Flow> RunLoop(const LoopPlace& place, const Value& iterable);
  absl::Status ExecuteSetBlock(const Stmt& statement);
  absl::Status ExecuteCallBlock(const Stmt& statement);
  absl::Status ExecuteFilterBlock(const Stmt& statement);
  absl::StatusOr<Flow> ExecuteWith(const Stmt& statement);
  // What `body` prints, in a scope of its own.
  absl::StatusOr<Value> Capture(const Body& body);
  absl::Status Print(const Value& value);
  absl::Status Assign(const Target& target, const Value& value);

  absl::StatusOr<Value> Evaluate(const Expr& expr);
  absl::StatusOr<Value> EvaluateNode(const Expr& expr);
  absl::StatusOr<Value> EvaluateName(const Expr& expr);
  absl::StatusOr<Value> EvaluateItems(const Expr& expr);
  absl::StatusOr<Value> EvaluateDict(const Expr& expr);
  absl::StatusOr<Value> EvaluateSlice(const Expr& expr);
  absl::StatusOr<Value> EvaluateCall(const Expr& expr);
  absl::StatusOr<Value> EvaluateFilter(const Expr& expr);
  absl::StatusOr<Value> EvaluateTest(const Expr& expr);
  absl::StatusOr<Value> EvaluateConcat(const Expr& expr);
  absl::StatusOr<Value> EvaluateCompare(const Expr& expr);
  absl::StatusOr<Value> EvaluateConditional(const Expr& expr);
  absl::StatusOr<Arguments> EvaluateArguments(const Expr& expr);

  void PushScope();
  void PopScope() { scope_ = scope_->parent; }
  // Notes where the first error happened.
  absl::Status At(int line, absl::Status status);

  const Program& program_;
  Budget budget_;
  std::shared_ptr<Scope> scope_ = std::make_shared<Scope>();
  std::vector<std::shared_ptr<Scope>>
      captured_;  // by macros: these may hold the macro that holds them
  std::vector<std::shared_ptr<Namespace>> namespaces_;
  Text output_;
  Value block_text_;  // the input of the filter of a block
  int depth_ = 0;
  int error_line_ = 0;
  bool raised_ = false;
};

}  // namespace atl::jinja
