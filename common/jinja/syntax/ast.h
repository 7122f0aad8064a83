// A parsed template.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/jinja/builtins/builtins.h"
#include "common/jinja/builtins/operations.h"
#include "common/jinja/values/value.h"

namespace atl::jinja {

using SymbolId = int;

// Names of variables, numbered, so that a scope compares numbers.
class Symbols {
 public:
  SymbolId Intern(std::string_view name);
  // -1 if the template never mentions it.
  SymbolId Find(std::string_view name) const;
  const std::string& NameOf(SymbolId id) const { return names_[static_cast<size_t>(id)]; }
  size_t size() const { return names_.size(); }

 private:
  std::unordered_map<std::string, SymbolId> ids_;
  std::vector<std::string> names_;
};

// One node of an expression. `operands` by kind:
struct Expr {
  enum class Kind {
    kConstant,   // constant
    kName,       // symbol
    kList,       // the items
    kTuple,      // the items
    kDict,       // key, value, key, value, ...
    kAttribute,  // object; text is the name
    kItem,       // object, key
    kSlice,      // object, begin, end, step (each may be null)
    kCall,       // callee, positional arguments; named
    kFilter,     // input (null inside a filter block), positional arguments; named; filter
    kTest,       // input, positional arguments; test
    kNot,
    kNegate,
    kPlus,
    kBinary,  // left, right; binary_op
    kConcat,
    kCompare,  // the first, then one for each of compare_ops
    kAnd,
    kOr,
    kConditional,  // condition, then, else (may be null)
  };
  Kind kind = Kind::kConstant;
  int line = 0;
  int height = 1;  // of the tree below; bounds the recursion of whoever walks it
  std::vector<std::unique_ptr<Expr>> operands;
  std::vector<std::pair<std::string, std::unique_ptr<Expr>>> named;
  Value constant;
  SymbolId symbol = -1;
  std::string text;
  BinaryOp binary_op = BinaryOp::kAdd;
  std::vector<CompareOp> compare_ops;
  FilterFunction filter = nullptr;
  TestFunction test = nullptr;
};

// What is assigned to: a name, a namespace's attribute, or several of them.
struct Target {
  SymbolId symbol = -1;
  std::string attribute;  // not empty: symbol.attribute
  std::vector<Target> parts;
  int line = 0;
};

struct Stmt;
using Body = std::vector<std::unique_ptr<Stmt>>;

// A macro, or the body of a call block.
struct MacroDefinition {
  std::string name;
  std::vector<SymbolId> parameters;
  std::vector<std::unique_ptr<Expr>> defaults;  // of the last parameters
  Body body;
};

struct Stmt {
  enum class Kind {
    kText,         // text
    kPrint,        // expr
    kIf,           // branches, then else_body
    kFor,          // target, expr, condition (may be null), body, else_body, is_recursive
    kSet,          // target, expr
    kSetBlock,     // target, expr (filters over a null input, or null), body
    kMacro,        // macro; target is its name
    kCallBlock,    // expr (the call), macro (the caller)
    kFilterBlock,  // expr, body
    kWith,         // assignments, body
    kScope,        // body: a `generation` tag
    kBreak,
    kContinue,
  };
  struct Branch {
    std::unique_ptr<Expr> condition;
    Body body;
  };
  Kind kind = Kind::kText;
  int line = 0;
  Value text;
  std::unique_ptr<Expr> expr;
  std::unique_ptr<Expr> condition;
  Target target;
  std::vector<Branch> branches;
  std::vector<std::pair<Target, std::unique_ptr<Expr>>> assignments;
  Body body;
  Body else_body;
  std::unique_ptr<MacroDefinition> macro;
  bool is_recursive = false;
};

struct Program {
  Symbols symbols;
  Body body;
};

}  // namespace atl::jinja
