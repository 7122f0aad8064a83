// Expressions, with Jinja's precedence.
#pragma once

#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/jinja/syntax/ast.h"
#include "common/jinja/syntax/token_stream.h"

namespace atl::jinja {

using ExprPtr = std::unique_ptr<Expr>;

class ExpressionParser {
 public:
  // Both outlive the parser; `depth_max` bounds how deep an expression may nest.
  ExpressionParser(TokenStream& tokens, Symbols& symbols, int depth_max)
      : tokens_(tokens), symbols_(symbols), depth_max_(depth_max) {}

  absl::StatusOr<ExprPtr> Expression();
  // Without "a if b else c" at the top, which would take the `if` of a loop.
  absl::StatusOr<ExprPtr> WithoutCondition() { return Or(); }
  // An expression, or a tuple without parentheses.
  absl::StatusOr<ExprPtr> Tuple() { return TupleOf(Item::kExpression); }
  absl::StatusOr<ExprPtr> TupleWithoutCondition() { return TupleOf(Item::kWithoutCondition); }
  // "|f|g(1)" after `input`; and one filter whose "|" is not written. `input` may be null: a
  // block's body comes later.
  absl::StatusOr<ExprPtr> Filters(ExprPtr input);
  absl::StatusOr<ExprPtr> NamedFilter(ExprPtr input);
  absl::Status ArgumentsOf(Expr& call);

 private:
  enum class Item { kExpression, kWithoutCondition };
  using Level = absl::StatusOr<ExprPtr> (ExpressionParser::*)();

  absl::StatusOr<ExprPtr> TupleOf(Item item);
  absl::StatusOr<ExprPtr> Or();
  absl::StatusOr<ExprPtr> And();
  absl::StatusOr<ExprPtr> Not();
  absl::StatusOr<ExprPtr> Comparison();
  absl::StatusOr<ExprPtr> Sum();
  absl::StatusOr<ExprPtr> Concat();
  absl::StatusOr<ExprPtr> Product();
  absl::StatusOr<ExprPtr> Power();
  absl::StatusOr<ExprPtr> UnaryAndFilters();
  absl::StatusOr<ExprPtr> Unary();
  absl::StatusOr<ExprPtr> Primary();
  absl::StatusOr<ExprPtr> NameOrConstant();
  absl::StatusOr<ExprPtr> Sequence(Expr::Kind kind, std::string_view closing);
  absl::StatusOr<ExprPtr> Postfix(ExprPtr node);
  absl::StatusOr<ExprPtr> FiltersAndTests(ExprPtr node);
  absl::StatusOr<ExprPtr> Dot(ExprPtr node);
  absl::StatusOr<ExprPtr> Subscript(ExprPtr node);
  absl::StatusOr<ExprPtr> Call(ExprPtr callee);
  absl::StatusOr<ExprPtr> Test(ExprPtr input);

  absl::StatusOr<ExprPtr> Binary(
      Level operand, std::initializer_list<std::pair<std::string_view, BinaryOp>> operators);
  ExprPtr Make(Expr::Kind kind) const;
  // Puts `operand` under `node`; fails if that grows too high a tree.
  absl::Status Add(Expr& node, ExprPtr operand) const;
  absl::StatusOr<ExprPtr> Wrap(Expr::Kind kind, int line, ExprPtr operand) const;

  TokenStream& tokens_;
  Symbols& symbols_;
  const int depth_max_;
  int depth_ = 0;
};

}  // namespace atl::jinja
