// What a rendering makes that has identity: scopes, namespaces, loops, macros.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/jinja/syntax/ast.h"
#include "common/jinja/values/value.h"

namespace atl::jinja {

// The variables of one block, and the scope around it.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<SymbolId, Value>> variables;

  const Value* Find(SymbolId symbol) const;
  void Set(SymbolId symbol, Value value);
};

// namespace(...): the one thing that `set` may change from an inner scope.
class Namespace : public Object {
 public:
  std::string_view type_name() const override { return "Namespace"; }
  std::optional<Value> Attribute(std::string_view name) const override;
  void Set(std::string_view name, Value value);
  void Clear() { attributes_.clear(); }

 private:
  std::vector<std::pair<std::string, Value>> attributes_;
};

// Where a `for` tag stands, for `loop(items)` of a recursive one to run it again.
struct LoopPlace {
  const Stmt& statement;
  std::shared_ptr<Scope> scope;  // around the loop
  int recursions = 0;            // above this run
};

// `loop`. **Lifetime**: owns its items; the loop moves `index0`.
class Loop : public Object, public std::enable_shared_from_this<Loop> {
 public:
  Loop(std::vector<Value> items, int items_depth, LoopPlace place)
      : items_(std::move(items)), depth_(items_depth + 1), place_(std::move(place)) {}
  std::string_view type_name() const override { return "LoopContext"; }
  int depth() const override { return depth_; }
  bool callable() const override { return true; }
  std::optional<Value> Attribute(std::string_view name) const override;
  absl::StatusOr<Value> Call(Budget& budget, Interpreter& interpreter,
                             const Arguments& args) override;

  const std::vector<Value>& items() const { return items_; }
  void set_index0(size_t index0) { index0_ = index0; }
  absl::StatusOr<Value> Cycle(const Arguments& args) const;
  // Whether the arguments differ from those of the call before.
  absl::StatusOr<Value> Changed(Budget& budget, const Arguments& args);

 private:
  const std::vector<Value> items_;
  const int depth_;
  const LoopPlace place_;
  size_t index0_ = 0;
  std::optional<Value> last_changed_;
};

// A macro and the scope it was defined in.
class Macro : public Object {
 public:
  Macro(const MacroDefinition& definition, std::shared_ptr<Scope> scope)
      : definition_(definition), scope_(std::move(scope)) {}
  std::string_view type_name() const override { return "Macro"; }
  bool callable() const override { return true; }
  std::optional<Value> Attribute(std::string_view name) const override;
  absl::StatusOr<Value> Call(Budget& budget, Interpreter& interpreter,
                             const Arguments& args) override;

 private:
  const MacroDefinition& definition_;
  const std::shared_ptr<Scope> scope_;
};

}  // namespace atl::jinja
