// Cuts a template's source into tokens, and applies Jinja's rules of white space (trim_blocks and
// lstrip_blocks are on).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace atl::jinja {

enum class TokenKind {
  kData,        // text between tags
  kPrintBegin,  // {{
  kPrintEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,   // unescaped
  kInteger,  // decimal digits, of any length
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  double number = 0;  // of kFloat
  int line = 1;

  bool IsName(std::string_view name) const { return kind == TokenKind::kName && text == name; }
  bool IsOperator(std::string_view op) const { return kind == TokenKind::kOperator && text == op; }
};

// The last token is kEnd. Errors: InvalidArgument "template:N: ...".
// Source: the rules are those of Jinja 3.1's lexer; one newline at the very end of the source is
// dropped.
absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source);

}  // namespace atl::jinja
