#include "common/jinja/syntax/expression_parser.h"

#include <algorithm>
#include <charconv>

#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace atl::jinja {

ExprPtr ExpressionParser::Make(Expr::Kind kind) const {
  auto node = std::make_unique<Expr>();
  node->kind = kind;
  node->line = tokens_.line();
  return node;
}

absl::Status ExpressionParser::Add(Expr& node, ExprPtr operand) const {
  if (operand != nullptr) node.height = std::max(node.height, operand->height + 1);
  node.operands.push_back(std::move(operand));
  if (node.height <= depth_max_) return absl::OkStatus();
  return InvalidArgument("template:{}: an expression nests deeper than {}", node.line, depth_max_);
}

absl::StatusOr<ExprPtr> ExpressionParser::Wrap(Expr::Kind kind, int line, ExprPtr operand) const {
  ExprPtr node = Make(kind);
  node->line = line;
  ATOLL_RETURN_IF_ERROR(Add(*node, std::move(operand)));
  return node;
}

absl::StatusOr<ExprPtr> ExpressionParser::Expression() {
  if (depth_ >= depth_max_) {
    return InvalidArgument("template:{}: an expression nests deeper than {}", tokens_.line(),
                           depth_max_);
  }
  ++depth_;
  absl::StatusOr<ExprPtr> result = Or();
  while (result.ok() && tokens_.current().IsName("if")) {
    ExprPtr node = Make(Expr::Kind::kConditional);
    tokens_.Next();
    ATOLL_ASSIGN_OR_RETURN(ExprPtr condition, Or());
    ATOLL_RETURN_IF_ERROR(Add(*node, std::move(condition)));
    ATOLL_RETURN_IF_ERROR(Add(*node, *std::move(result)));
    ExprPtr otherwise;
    if (tokens_.SkipName("else")) {
      ATOLL_ASSIGN_OR_RETURN(otherwise, Expression());
    }
    ATOLL_RETURN_IF_ERROR(Add(*node, std::move(otherwise)));
    result = std::move(node);
  }
  --depth_;
  return result;
}

absl::StatusOr<ExprPtr> ExpressionParser::Or() {
  ATOLL_ASSIGN_OR_RETURN(ExprPtr left, And());
  while (tokens_.current().IsName("or")) {
    ATOLL_ASSIGN_OR_RETURN(left, Wrap(Expr::Kind::kOr, tokens_.line(), std::move(left)));
    tokens_.Next();
    ATOLL_ASSIGN_OR_RETURN(ExprPtr right, And());
    ATOLL_RETURN_IF_ERROR(Add(*left, std::move(right)));
  }
  return left;
}

absl::StatusOr<ExprPtr> ExpressionParser::And() {
  ATOLL_ASSIGN_OR_RETURN(ExprPtr left, Not());
  while (tokens_.current().IsName("and")) {
    ATOLL_ASSIGN_OR_RETURN(left, Wrap(Expr::Kind::kAnd, tokens_.line(), std::move(left)));
    tokens_.Next();
    ATOLL_ASSIGN_OR_RETURN(ExprPtr right, Not());
    ATOLL_RETURN_IF_ERROR(Add(*left, std::move(right)));
  }
  return left;
}

absl::StatusOr<ExprPtr> ExpressionParser::Not() {
  int negations = 0;
  const int line = tokens_.line();
  while (tokens_.SkipName("not")) ++negations;
  ATOLL_ASSIGN_OR_RETURN(ExprPtr node, Comparison());
  for (; negations > 0; --negations) {
    ATOLL_ASSIGN_OR_RETURN(node, Wrap(Expr::Kind::kNot, line, std::move(node)));
  }
  return node;
}

absl::StatusOr<ExprPtr> ExpressionParser::Comparison() {
  static constexpr std::pair<std::string_view, CompareOp> kOperators[] = {
      {"==", CompareOp::kEqual},  {"!=", CompareOp::kNotEqual},
      {"<", CompareOp::kLess},    {"<=", CompareOp::kLessEqual},
      {">", CompareOp::kGreater}, {">=", CompareOp::kGreaterEqual}};
  ATOLL_ASSIGN_OR_RETURN(ExprPtr first, Sum());
  ExprPtr node = Make(Expr::Kind::kCompare);
  while (true) {
    const auto* op =
        std::find_if(std::begin(kOperators), std::end(kOperators),
                     [&](const auto& entry) { return tokens_.current().IsOperator(entry.first); });
    if (op != std::end(kOperators)) {
      tokens_.Next();
      node->compare_ops.push_back(op->second);
    } else if (tokens_.SkipName("in")) {
      node->compare_ops.push_back(CompareOp::kIn);
    } else if (tokens_.current().IsName("not") && tokens_.ahead().IsName("in")) {
      tokens_.Next();
      tokens_.Next();
      node->compare_ops.push_back(CompareOp::kNotIn);
    } else {
      break;
    }
    if (first != nullptr) ATOLL_RETURN_IF_ERROR(Add(*node, std::move(first)));
    ATOLL_ASSIGN_OR_RETURN(ExprPtr operand, Sum());
    ATOLL_RETURN_IF_ERROR(Add(*node, std::move(operand)));
  }
  return node->compare_ops.empty() ? std::move(first) : std::move(node);
}

absl::StatusOr<ExprPtr> ExpressionParser::Binary(
    Level operand, std::initializer_list<std::pair<std::string_view, BinaryOp>> operators) {
  ATOLL_ASSIGN_OR_RETURN(ExprPtr left, (this->*operand)());
  while (true) {
    const auto* op = std::find_if(operators.begin(), operators.end(), [&](const auto& entry) {
      return tokens_.current().IsOperator(entry.first);
    });
    if (op == operators.end()) return left;
    ATOLL_ASSIGN_OR_RETURN(left, Wrap(Expr::Kind::kBinary, tokens_.line(), std::move(left)));
    left->binary_op = op->second;
    tokens_.Next();
    ATOLL_ASSIGN_OR_RETURN(ExprPtr right, (this->*operand)());
    ATOLL_RETURN_IF_ERROR(Add(*left, std::move(right)));
  }
}

absl::StatusOr<ExprPtr> ExpressionParser::Sum() {
  return Binary(&ExpressionParser::Concat, {{"+", BinaryOp::kAdd}, {"-", BinaryOp::kSubtract}});
}

absl::StatusOr<ExprPtr> ExpressionParser::Concat() {
  ATOLL_ASSIGN_OR_RETURN(ExprPtr first, Product());
  if (!tokens_.current().IsOperator("~")) return first;
  ATOLL_ASSIGN_OR_RETURN(ExprPtr node, Wrap(Expr::Kind::kConcat, tokens_.line(), std::move(first)));
  while (tokens_.SkipOperator("~")) {
    ATOLL_ASSIGN_OR_RETURN(ExprPtr operand, Product());
    ATOLL_RETURN_IF_ERROR(Add(*node, std::move(operand)));
  }
  return node;
}

absl::StatusOr<ExprPtr> ExpressionParser::Product() {
  return Binary(&ExpressionParser::Power, {{"*", BinaryOp::kMultiply},
                                           {"/", BinaryOp::kDivide},
                                           {"//", BinaryOp::kFloorDivide},
                                           {"%", BinaryOp::kModulo}});
}

absl::StatusOr<ExprPtr> ExpressionParser::Power() {
  return Binary(&ExpressionParser::UnaryAndFilters, {{"**", BinaryOp::kPower}});
}

absl::StatusOr<ExprPtr> ExpressionParser::UnaryAndFilters() {
  ATOLL_ASSIGN_OR_RETURN(ExprPtr node, Unary());
  return FiltersAndTests(std::move(node));
}

absl::StatusOr<ExprPtr> ExpressionParser::Unary() {
  std::vector<Expr::Kind> signs;
  const int line = tokens_.line();
  while (tokens_.current().IsOperator("-") || tokens_.current().IsOperator("+")) {
    signs.push_back(tokens_.Next().text == "-" ? Expr::Kind::kNegate : Expr::Kind::kPlus);
  }
  ATOLL_ASSIGN_OR_RETURN(ExprPtr node, Primary());
  ATOLL_ASSIGN_OR_RETURN(node, Postfix(std::move(node)));
  for (; !signs.empty(); signs.pop_back()) {
    ATOLL_ASSIGN_OR_RETURN(node, Wrap(signs.back(), line, std::move(node)));
  }
  return node;
}

absl::StatusOr<ExprPtr> ExpressionParser::NameOrConstant() {
  const std::string name = tokens_.current().text;
  ExprPtr node = Make(Expr::Kind::kConstant);
  tokens_.Next();
  if (name == "true" || name == "True") {
    node->constant = Value::Bool(true);
  } else if (name == "false" || name == "False") {
    node->constant = Value::Bool(false);
  } else if (name == "none" || name == "None") {
    node->constant = Value::None();
  } else {
    node->kind = Expr::Kind::kName;
    node->symbol = symbols_.Intern(name);
  }
  return node;
}

absl::StatusOr<ExprPtr> ExpressionParser::Primary() {
  const Token& token = tokens_.current();
  ExprPtr node = Make(Expr::Kind::kConstant);
  switch (token.kind) {
    case TokenKind::kName:
      return NameOrConstant();
    case TokenKind::kString: {
      std::string text;
      while (tokens_.current().kind == TokenKind::kString) text += tokens_.Next().text;
      node->constant = Value::String(std::move(text), Origin::kTemplate);
      return node;
    }
    case TokenKind::kInteger: {
      int64_t value = 0;
      const char* end = token.text.data() + token.text.size();
      const auto read = std::from_chars(token.text.data(), end, value);
      node->constant = read.ec == std::errc() ? Value::Int(value) : Value::BigInt(token.text);
      tokens_.Next();
      return node;
    }
    case TokenKind::kFloat:
      node->constant = Value::Float(tokens_.Next().number);
      return node;
    default:
      break;
  }
  if (tokens_.SkipOperator("[")) return Sequence(Expr::Kind::kList, "]");
  if (tokens_.SkipOperator("{")) return Sequence(Expr::Kind::kDict, "}");
  if (tokens_.SkipOperator("(")) {
    if (tokens_.SkipOperator(")")) {
      node->kind = Expr::Kind::kTuple;
      return node;
    }
    ATOLL_ASSIGN_OR_RETURN(ExprPtr inner, Tuple());
    ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator(")"));
    return inner;
  }
  return tokens_.Unexpected("an expression");
}

absl::StatusOr<ExprPtr> ExpressionParser::Sequence(Expr::Kind kind, std::string_view closing) {
  ExprPtr node = Make(kind);
  while (!tokens_.SkipOperator(closing)) {
    if (!node->operands.empty()) {
      ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      if (tokens_.SkipOperator(closing)) break;
    }
    ATOLL_ASSIGN_OR_RETURN(ExprPtr item, Expression());
    ATOLL_RETURN_IF_ERROR(Add(*node, std::move(item)));
    if (kind != Expr::Kind::kDict) continue;
    ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator(":"));
    ATOLL_ASSIGN_OR_RETURN(ExprPtr value, Expression());
    ATOLL_RETURN_IF_ERROR(Add(*node, std::move(value)));
  }
  return node;
}

absl::StatusOr<ExprPtr> ExpressionParser::TupleOf(Item item) {
  ExprPtr tuple = Make(Expr::Kind::kTuple);
  while (true) {
    absl::StatusOr<ExprPtr> part = item == Item::kExpression ? Expression() : WithoutCondition();
    if (!part.ok()) return part.status();
    if (!tokens_.current().IsOperator(",") && tuple->operands.empty()) return part;
    ATOLL_RETURN_IF_ERROR(Add(*tuple, *std::move(part)));
    if (!tokens_.SkipOperator(",")) return tuple;
    const Token& next = tokens_.current();
    if (next.kind == TokenKind::kPrintEnd || next.kind == TokenKind::kBlockEnd ||
        next.IsOperator(")")) {
      return tuple;  // "(a,)" has a comma and no second item
    }
  }
}

absl::StatusOr<ExprPtr> ExpressionParser::Postfix(ExprPtr node) {
  while (true) {
    if (tokens_.current().IsOperator(".")) {
      ATOLL_ASSIGN_OR_RETURN(node, Dot(std::move(node)));
    } else if (tokens_.current().IsOperator("[")) {
      ATOLL_ASSIGN_OR_RETURN(node, Subscript(std::move(node)));
    } else if (tokens_.current().IsOperator("(")) {
      ATOLL_ASSIGN_OR_RETURN(node, Call(std::move(node)));
    } else {
      return node;
    }
  }
}

absl::StatusOr<ExprPtr> ExpressionParser::FiltersAndTests(ExprPtr node) {
  while (true) {
    if (tokens_.current().IsOperator("|")) {
      ATOLL_ASSIGN_OR_RETURN(node, Filters(std::move(node)));
    } else if (tokens_.current().IsName("is")) {
      ATOLL_ASSIGN_OR_RETURN(node, Test(std::move(node)));
    } else if (tokens_.current().IsOperator("(")) {
      ATOLL_ASSIGN_OR_RETURN(node, Call(std::move(node)));
    } else {
      return node;
    }
  }
}

absl::StatusOr<ExprPtr> ExpressionParser::Dot(ExprPtr node) {
  const int line = tokens_.Next().line;
  if (tokens_.current().kind == TokenKind::kInteger) {
    ATOLL_ASSIGN_OR_RETURN(ExprPtr key, Primary());
    ATOLL_ASSIGN_OR_RETURN(ExprPtr item, Wrap(Expr::Kind::kItem, line, std::move(node)));
    ATOLL_RETURN_IF_ERROR(Add(*item, std::move(key)));
    return item;
  }
  ATOLL_ASSIGN_OR_RETURN(std::string name, tokens_.ExpectAnyName());
  ATOLL_ASSIGN_OR_RETURN(ExprPtr attribute, Wrap(Expr::Kind::kAttribute, line, std::move(node)));
  attribute->text = std::move(name);
  return attribute;
}

absl::StatusOr<ExprPtr> ExpressionParser::Subscript(ExprPtr node) {
  ATOLL_ASSIGN_OR_RETURN(ExprPtr result, Wrap(Expr::Kind::kItem, tokens_.line(), std::move(node)));
  tokens_.Next();
  for (int bound = 0; bound < 3; ++bound) {
    ExprPtr value;
    if (!tokens_.current().IsOperator(":") && !tokens_.current().IsOperator("]")) {
      ATOLL_ASSIGN_OR_RETURN(value, Expression());
    }
    if (bound == 0 && value != nullptr && tokens_.SkipOperator("]")) {
      ATOLL_RETURN_IF_ERROR(Add(*result, std::move(value)));
      return result;
    }
    ATOLL_RETURN_IF_ERROR(Add(*result, std::move(value)));
    if (bound < 2 && !tokens_.SkipOperator(":")) {
      if (bound == 0) return tokens_.Unexpected("']' or ':'");
      ATOLL_RETURN_IF_ERROR(Add(*result, nullptr));
      break;
    }
  }
  result->kind = Expr::Kind::kSlice;
  ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator("]"));
  return result;
}

absl::StatusOr<ExprPtr> ExpressionParser::Call(ExprPtr callee) {
  ATOLL_ASSIGN_OR_RETURN(ExprPtr call, Wrap(Expr::Kind::kCall, tokens_.line(), std::move(callee)));
  ATOLL_RETURN_IF_ERROR(ArgumentsOf(*call));
  return call;
}

absl::Status ExpressionParser::ArgumentsOf(Expr& call) {
  ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator("("));
  bool first = true;
  while (!tokens_.SkipOperator(")")) {
    if (!first) {
      ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      if (tokens_.SkipOperator(")")) break;
    }
    first = false;
    if (tokens_.current().IsOperator("*") || tokens_.current().IsOperator("**")) {
      return Unimplemented("template:{}: arguments by '*' and '**' are not supported",
                           tokens_.line());
    }
    if (tokens_.current().kind == TokenKind::kName && tokens_.ahead().IsOperator("=")) {
      std::string name = tokens_.Next().text;
      const bool repeats = std::any_of(call.named.begin(), call.named.end(),
                                       [&](const auto& entry) { return entry.first == name; });
      if (repeats) return InvalidArgument("template:{}: two arguments '{}'", tokens_.line(), name);
      tokens_.Next();
      ATOLL_ASSIGN_OR_RETURN(ExprPtr value, Expression());
      call.height = std::max(call.height, value->height + 1);
      call.named.emplace_back(std::move(name), std::move(value));
    } else if (!call.named.empty()) {
      return InvalidArgument("template:{}: a positional argument follows a named one",
                             tokens_.line());
    } else {
      ATOLL_ASSIGN_OR_RETURN(ExprPtr value, Expression());
      ATOLL_RETURN_IF_ERROR(Add(call, std::move(value)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ExprPtr> ExpressionParser::NamedFilter(ExprPtr input) {
  ATOLL_ASSIGN_OR_RETURN(ExprPtr node, Wrap(Expr::Kind::kFilter, tokens_.line(), std::move(input)));
  ATOLL_ASSIGN_OR_RETURN(node->text, tokens_.ExpectAnyName());
  node->filter = FindFilter(node->text);
  for (const std::string_view known :
       {"attr", "center", "e", "escape", "filesizeformat", "forceescape", "format", "groupby",
        "pprint", "random", "slice", "striptags", "urlencode", "urlize", "wordwrap", "xmlattr"}) {
    if (node->text != known) continue;
    return Unimplemented("template:{}: the filter '{}' is not supported in a chat template",
                         node->line, known);
  }
  if (node->filter == nullptr) {
    return InvalidArgument("template:{}: No filter named '{}'.", node->line, node->text);
  }
  if (tokens_.current().IsOperator("(")) ATOLL_RETURN_IF_ERROR(ArgumentsOf(*node));
  return node;
}

absl::StatusOr<ExprPtr> ExpressionParser::Filters(ExprPtr input) {
  while (tokens_.SkipOperator("|")) {
    ATOLL_ASSIGN_OR_RETURN(input, NamedFilter(std::move(input)));
  }
  return input;
}

absl::StatusOr<ExprPtr> ExpressionParser::Test(ExprPtr input) {
  const int line = tokens_.Next().line;
  const bool negated = tokens_.SkipName("not");
  ATOLL_ASSIGN_OR_RETURN(ExprPtr node, Wrap(Expr::Kind::kTest, line, std::move(input)));
  ATOLL_ASSIGN_OR_RETURN(node->text, tokens_.ExpectAnyName());
  node->test = FindTest(node->text);
  if (node->test == nullptr) {
    return InvalidArgument("template:{}: No test named '{}'.", line, node->text);
  }
  const Token& next = tokens_.current();
  const bool is_operand = next.kind == TokenKind::kString || next.kind == TokenKind::kInteger ||
                          next.kind == TokenKind::kFloat || next.IsOperator("[") ||
                          next.IsOperator("{") ||
                          (next.kind == TokenKind::kName && !next.IsName("else") &&
                           !next.IsName("or") && !next.IsName("and"));
  if (next.IsOperator("(")) {
    ATOLL_RETURN_IF_ERROR(ArgumentsOf(*node));
  } else if (next.IsName("is")) {
    return InvalidArgument("template:{}: tests with 'is' cannot be chained", line);
  } else if (is_operand) {
    ATOLL_ASSIGN_OR_RETURN(ExprPtr operand, Primary());
    ATOLL_ASSIGN_OR_RETURN(operand, Postfix(std::move(operand)));
    ATOLL_RETURN_IF_ERROR(Add(*node, std::move(operand)));
  }
  return negated ? Wrap(Expr::Kind::kNot, line, std::move(node)) : std::move(node);
}

}  // namespace atl::jinja
