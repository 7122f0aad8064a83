#include "common/jinja/syntax/parser.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/syntax/expression_parser.h"
#include "common/text/utf8.h"

namespace atl::jinja {

SymbolId Symbols::Intern(std::string_view name) {
  const auto [entry, added] = ids_.emplace(std::string(name), static_cast<SymbolId>(names_.size()));
  if (added) names_.emplace_back(name);
  return entry->second;
}

SymbolId Symbols::Find(std::string_view name) const {
  const auto entry = ids_.find(std::string(name));
  return entry == ids_.end() ? -1 : entry->second;
}

namespace {

using StmtPtr = std::unique_ptr<Stmt>;

class Parser {
 public:
  Parser(std::vector<Token> tokens, const Limits& limits)
      : tokens_(std::move(tokens)),
        nesting_max_(limits.nesting_max),
        expressions_(tokens_, program_->symbols, limits.nesting_max) {}

  absl::StatusOr<std::unique_ptr<const Program>> Run() {
    ATOLL_ASSIGN_OR_RETURN(program_->body, BodyUntil({}));
    return std::unique_ptr<const Program>(std::move(program_));
  }

 private:
  using EndNames = std::initializer_list<std::string_view>;

  // Statements up to a tag that starts with one of `ends`, whose name is then the current token; or
  // to the end.
  absl::StatusOr<Body> BodyUntil(EndNames ends);
  // The same, from the end of an opening tag and past the whole closing one.
  absl::StatusOr<Body> BodyOfTag(std::string_view end);
  absl::StatusOr<StmtPtr> Statement();
  absl::StatusOr<StmtPtr> If();
  absl::StatusOr<StmtPtr> For();
  absl::StatusOr<StmtPtr> Set();
  absl::StatusOr<StmtPtr> Macro();
  absl::StatusOr<StmtPtr> CallBlock();
  absl::StatusOr<StmtPtr> FilterBlock();
  absl::StatusOr<StmtPtr> With();
  absl::StatusOr<StmtPtr> LoopControl(Stmt::Kind kind);
  absl::StatusOr<Target> OneTarget();
  absl::StatusOr<Target> Targets();
  absl::Status Signature(MacroDefinition& macro);
  absl::Status MacroBody(MacroDefinition& macro, std::string_view end);
  absl::Status EndOfTag() { return tokens_.Expect(TokenKind::kBlockEnd, "'%}'"); }
  StmtPtr Make(Stmt::Kind kind) const {
    auto statement = std::make_unique<Stmt>();
    statement->kind = kind;
    statement->line = tokens_.line();
    return statement;
  }

  std::unique_ptr<Program> program_ = std::make_unique<Program>();
  TokenStream tokens_;
  const int nesting_max_;
  ExpressionParser expressions_;
  int nesting_ = 0;
  int loops_ = 0;  // around this place, within the innermost macro
};

absl::StatusOr<Body> Parser::BodyUntil(EndNames ends) {
  if (nesting_ >= nesting_max_) {
    return InvalidArgument("template:{}: tags nest deeper than {}", tokens_.line(), nesting_max_);
  }
  ++nesting_;
  Body body;
  while (tokens_.current().kind != TokenKind::kEnd) {
    const TokenKind kind = tokens_.current().kind;
    if (kind == TokenKind::kData) {
      StmtPtr text = Make(Stmt::Kind::kText);
      text->text = Value::String(tokens_.Next().text, Origin::kTemplate);
      body.push_back(std::move(text));
    } else if (kind == TokenKind::kPrintBegin) {
      StmtPtr print = Make(Stmt::Kind::kPrint);
      tokens_.Next();
      ATOLL_ASSIGN_OR_RETURN(print->expr, expressions_.Tuple());
      ATOLL_RETURN_IF_ERROR(tokens_.Expect(TokenKind::kPrintEnd, "'}}'"));
      body.push_back(std::move(print));
    } else {
      ATOLL_RETURN_IF_ERROR(tokens_.Expect(TokenKind::kBlockBegin, "a tag"));
      if (tokens_.current().kind == TokenKind::kName &&
          std::find(ends.begin(), ends.end(), tokens_.current().text) != ends.end()) {
        --nesting_;
        return body;
      }
      ATOLL_ASSIGN_OR_RETURN(StmtPtr statement, Statement());
      ATOLL_RETURN_IF_ERROR(EndOfTag());
      body.push_back(std::move(statement));
    }
  }
  if (ends.size() != 0) return tokens_.Unexpected("'{% " + std::string(*(ends.end() - 1)) + " %}'");
  --nesting_;
  return body;
}

absl::StatusOr<Body> Parser::BodyOfTag(std::string_view end) {
  ATOLL_RETURN_IF_ERROR(EndOfTag());
  ATOLL_ASSIGN_OR_RETURN(Body body, BodyUntil({end}));
  tokens_.Next();
  return body;
}

absl::StatusOr<StmtPtr> Parser::Statement() {
  const Token& tag = tokens_.current();
  if (tag.IsName("if")) return If();
  if (tag.IsName("for")) return For();
  if (tag.IsName("set")) return Set();
  if (tag.IsName("macro")) return Macro();
  if (tag.IsName("call")) return CallBlock();
  if (tag.IsName("filter")) return FilterBlock();
  if (tag.IsName("with")) return With();
  if (tag.IsName("break")) return LoopControl(Stmt::Kind::kBreak);
  if (tag.IsName("continue")) return LoopControl(Stmt::Kind::kContinue);
  if (tag.IsName("generation")) {  // marks what an assistant said, for training; it prints its body
    StmtPtr scope = Make(Stmt::Kind::kScope);
    tokens_.Next();
    ATOLL_ASSIGN_OR_RETURN(scope->body, BodyOfTag("endgeneration"));
    return scope;
  }
  if (tag.IsName("print")) {
    StmtPtr print = Make(Stmt::Kind::kPrint);
    tokens_.Next();
    ATOLL_ASSIGN_OR_RETURN(print->expr, expressions_.Tuple());
    return print;
  }
  for (const std::string_view name :
       {"include", "import", "from", "extends", "block", "do", "autoescape", "trans"}) {
    if (tag.IsName(name)) {
      return Unimplemented("template:{}: the tag '{}' is not supported in a chat template",
                           tag.line, name);
    }
  }
  return InvalidArgument("template:{}: unknown tag '{}'", tag.line, tag.text);
}

absl::StatusOr<StmtPtr> Parser::If() {
  StmtPtr statement = Make(Stmt::Kind::kIf);
  while (tokens_.SkipName("if") || tokens_.SkipName("elif")) {
    Stmt::Branch& branch = statement->branches.emplace_back();
    ATOLL_ASSIGN_OR_RETURN(branch.condition, expressions_.TupleWithoutCondition());
    ATOLL_RETURN_IF_ERROR(EndOfTag());
    ATOLL_ASSIGN_OR_RETURN(branch.body, BodyUntil({"elif", "else", "endif"}));
  }
  if (!tokens_.current().IsName("else")) {
    ATOLL_RETURN_IF_ERROR(tokens_.ExpectName("endif"));
    return statement;
  }
  tokens_.Next();
  ATOLL_ASSIGN_OR_RETURN(statement->else_body, BodyOfTag("endif"));
  return statement;
}

absl::StatusOr<StmtPtr> Parser::For() {
  StmtPtr statement = Make(Stmt::Kind::kFor);
  tokens_.Next();
  ATOLL_ASSIGN_OR_RETURN(statement->target, Targets());
  ATOLL_RETURN_IF_ERROR(tokens_.ExpectName("in"));
  ATOLL_ASSIGN_OR_RETURN(statement->expr, expressions_.TupleWithoutCondition());
  if (tokens_.SkipName("if")) {
    ATOLL_ASSIGN_OR_RETURN(statement->condition, expressions_.Expression());
  }
  statement->is_recursive = tokens_.SkipName("recursive");
  ATOLL_RETURN_IF_ERROR(EndOfTag());
  ++loops_;
  ATOLL_ASSIGN_OR_RETURN(statement->body, BodyUntil({"else", "endfor"}));
  --loops_;
  if (!tokens_.Next().IsName("else")) return statement;
  ATOLL_ASSIGN_OR_RETURN(statement->else_body, BodyOfTag("endfor"));
  return statement;
}

absl::StatusOr<Target> Parser::OneTarget() {
  Target target;
  target.line = tokens_.line();
  if (tokens_.SkipOperator("(")) {
    ATOLL_ASSIGN_OR_RETURN(target, Targets());
    ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator(")"));
    return target;
  }
  ATOLL_ASSIGN_OR_RETURN(const std::string name, tokens_.ExpectAnyName());
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    if (name == constant)
      return InvalidArgument("template:{}: can't assign to '{}'", target.line, name);
  }
  target.symbol = program_->symbols.Intern(name);
  return target;
}

absl::StatusOr<Target> Parser::Targets() {
  if (nesting_ >= nesting_max_) {
    return InvalidArgument("template:{}: targets nest deeper than {}", tokens_.line(),
                           nesting_max_);
  }
  ++nesting_;
  ATOLL_ASSIGN_OR_RETURN(Target first, OneTarget());
  --nesting_;
  if (!tokens_.current().IsOperator(",")) return first;
  Target tuple;
  tuple.line = first.line;
  tuple.parts.push_back(std::move(first));
  while (tokens_.SkipOperator(",")) {
    if (tokens_.current().kind != TokenKind::kName && !tokens_.current().IsOperator("(")) break;
    if (tokens_.current().IsName("in")) break;
    ATOLL_ASSIGN_OR_RETURN(Target next, OneTarget());
    tuple.parts.push_back(std::move(next));
  }
  return tuple;
}

absl::StatusOr<StmtPtr> Parser::Set() {
  StmtPtr statement = Make(Stmt::Kind::kSet);
  tokens_.Next();
  if (tokens_.current().kind == TokenKind::kName && tokens_.ahead().IsOperator(".")) {
    statement->target.line = tokens_.line();
    statement->target.symbol = program_->symbols.Intern(tokens_.Next().text);
    tokens_.Next();
    ATOLL_ASSIGN_OR_RETURN(statement->target.attribute, tokens_.ExpectAnyName());
  } else {
    ATOLL_ASSIGN_OR_RETURN(statement->target, Targets());
  }
  if (tokens_.SkipOperator("=")) {
    ATOLL_ASSIGN_OR_RETURN(statement->expr, expressions_.Tuple());
    return statement;
  }
  statement->kind = Stmt::Kind::kSetBlock;
  ATOLL_ASSIGN_OR_RETURN(statement->expr, expressions_.Filters(nullptr));
  ATOLL_ASSIGN_OR_RETURN(statement->body, BodyOfTag("endset"));
  return statement;
}

absl::Status Parser::Signature(MacroDefinition& macro) {
  ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator("("));
  while (!tokens_.SkipOperator(")")) {
    if (!macro.parameters.empty()) ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
    ATOLL_ASSIGN_OR_RETURN(const std::string name, tokens_.ExpectAnyName());
    const SymbolId symbol = program_->symbols.Intern(name);
    if (std::find(macro.parameters.begin(), macro.parameters.end(), symbol) !=
        macro.parameters.end()) {
      return InvalidArgument("template:{}: there are two parameters '{}'", tokens_.line(), name);
    }
    macro.parameters.push_back(symbol);
    if (tokens_.SkipOperator("=")) {
      ATOLL_ASSIGN_OR_RETURN(ExprPtr value, expressions_.Expression());
      macro.defaults.push_back(std::move(value));
    } else if (!macro.defaults.empty()) {
      return InvalidArgument(
          "template:{}: parameter '{}' without a default follows one with a default",
          tokens_.line(), name);
    }
  }
  return absl::OkStatus();
}

absl::Status Parser::MacroBody(MacroDefinition& macro, std::string_view end) {
  const int loops = std::exchange(loops_, 0);
  ATOLL_ASSIGN_OR_RETURN(macro.body, BodyOfTag(end));
  loops_ = loops;
  return absl::OkStatus();
}

absl::StatusOr<StmtPtr> Parser::Macro() {
  StmtPtr statement = Make(Stmt::Kind::kMacro);
  tokens_.Next();
  statement->macro = std::make_unique<MacroDefinition>();
  ATOLL_ASSIGN_OR_RETURN(statement->macro->name, tokens_.ExpectAnyName());
  statement->target.symbol = program_->symbols.Intern(statement->macro->name);
  ATOLL_RETURN_IF_ERROR(Signature(*statement->macro));
  ATOLL_RETURN_IF_ERROR(MacroBody(*statement->macro, "endmacro"));
  return statement;
}

absl::StatusOr<StmtPtr> Parser::CallBlock() {
  StmtPtr statement = Make(Stmt::Kind::kCallBlock);
  tokens_.Next();
  statement->macro = std::make_unique<MacroDefinition>();
  statement->macro->name = "caller";
  program_->symbols.Intern("caller");
  if (tokens_.current().IsOperator("(")) ATOLL_RETURN_IF_ERROR(Signature(*statement->macro));
  ATOLL_ASSIGN_OR_RETURN(statement->expr, expressions_.Expression());
  if (statement->expr->kind != Expr::Kind::kCall) {
    return InvalidArgument("template:{}: '{{% call %}}' needs a call of a macro", statement->line);
  }
  ATOLL_RETURN_IF_ERROR(MacroBody(*statement->macro, "endcall"));
  return statement;
}

absl::StatusOr<StmtPtr> Parser::FilterBlock() {
  StmtPtr statement = Make(Stmt::Kind::kFilterBlock);
  tokens_.Next();
  ATOLL_ASSIGN_OR_RETURN(ExprPtr filter, expressions_.NamedFilter(nullptr));
  ATOLL_ASSIGN_OR_RETURN(statement->expr, expressions_.Filters(std::move(filter)));
  ATOLL_ASSIGN_OR_RETURN(statement->body, BodyOfTag("endfilter"));
  return statement;
}

absl::StatusOr<StmtPtr> Parser::With() {
  StmtPtr statement = Make(Stmt::Kind::kWith);
  tokens_.Next();
  while (tokens_.current().kind != TokenKind::kBlockEnd) {
    if (!statement->assignments.empty()) ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
    ATOLL_ASSIGN_OR_RETURN(Target target, OneTarget());
    ATOLL_RETURN_IF_ERROR(tokens_.ExpectOperator("="));
    ATOLL_ASSIGN_OR_RETURN(ExprPtr value, expressions_.Expression());
    statement->assignments.emplace_back(std::move(target), std::move(value));
  }
  ATOLL_ASSIGN_OR_RETURN(statement->body, BodyOfTag("endwith"));
  return statement;
}

absl::StatusOr<StmtPtr> Parser::LoopControl(Stmt::Kind kind) {
  StmtPtr statement = Make(kind);
  if (loops_ == 0) {
    return InvalidArgument("template:{}: '{}' stands outside of a loop", statement->line,
                           tokens_.current().text);
  }
  tokens_.Next();
  return statement;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Program>> ParseProgram(std::string_view source,
                                                            const Limits& limits) {
  if (source.size() > limits.source_bytes_max) {
    return InvalidArgument("a chat template of {} bytes is longer than the limit of {}",
                           source.size(), limits.source_bytes_max);
  }
  if (!IsValidUtf8(source)) return InvalidArgument("the chat template is not valid UTF-8");
  ATOLL_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  return Parser(std::move(tokens), limits).Run();
}

}  // namespace atl::jinja
