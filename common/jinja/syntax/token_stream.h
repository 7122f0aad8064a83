// The parser's view of the tokens: one at a time, with a look ahead.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/jinja/syntax/lexer.h"

namespace atl::jinja {

class TokenStream {
 public:
  // `tokens` ends with kEnd.
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[position_]; }
  const Token& ahead() const { return tokens_[std::min(position_ + 1, tokens_.size() - 1)]; }
  int line() const { return current().line; }
  const Token& Next() {
    const Token& token = tokens_[position_];
    if (position_ + 1 < tokens_.size()) ++position_;
    return token;
  }
  bool SkipName(std::string_view name) {
    const bool found = current().IsName(name);
    if (found) Next();
    return found;
  }
  bool SkipOperator(std::string_view op) {
    const bool found = current().IsOperator(op);
    if (found) Next();
    return found;
  }
  absl::Status ExpectOperator(std::string_view op) {
    return SkipOperator(op) ? absl::OkStatus() : Unexpected("'" + std::string(op) + "'");
  }
  absl::Status ExpectName(std::string_view name) {
    return SkipName(name) ? absl::OkStatus() : Unexpected("'" + std::string(name) + "'");
  }
  absl::Status Expect(TokenKind kind, std::string_view what) {
    if (current().kind != kind) return Unexpected(what);
    Next();
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> ExpectAnyName() {
    if (current().kind != TokenKind::kName) return Unexpected("a name");
    return Next().text;
  }
  absl::Status Unexpected(std::string_view wanted) const {
    return InvalidArgument("template:{}: expected {}, found {}", line(), wanted, Description());
  }

 private:
  std::string Description() const {
    switch (current().kind) {
      case TokenKind::kEnd:
        return "the end of the template";
      case TokenKind::kBlockEnd:
        return "'%}'";
      case TokenKind::kPrintEnd:
        return "'}}'";
      case TokenKind::kString:
        return "a string";
      case TokenKind::kFloat:
        return "a number";
      default:
        return "'" + current().text + "'";
    }
  }

  std::vector<Token> tokens_;
  size_t position_ = 0;
};

}  // namespace atl::jinja
