#include "common/jinja/syntax/lexer.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/values/literal.h"
#include "common/jinja/values/unicode.h"
#include "common/text/utf8.h"

namespace atl::jinja {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }

// "\r\n" and "\r" become "\n"; one newline at the end goes.
std::string NormalizeNewlines(std::string_view source) {
  std::string result;
  result.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
      result += '\n';
    } else {
      result += source[i];
    }
  }
  if (!result.empty() && result.back() == '\n') result.pop_back();
  return result;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(NormalizeNewlines(source)) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (position_ < source_.size()) ATOLL_RETURN_IF_ERROR(Root());
    Emit(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  char At(size_t offset) const { return offset < source_.size() ? source_[offset] : '\0'; }
  bool LooksAt(std::string_view text, size_t offset) const {
    return std::string_view(source_).substr(std::min(offset, source_.size())).starts_with(text);
  }
  size_t SkipSpace(size_t offset) const {
    while (offset < source_.size()) {
      const Utf8Step point = DecodeUtf8(source_, offset);
      if (!IsSpace(point.code_point)) break;
      offset += point.size;
    }
    return offset;
  }
  // Counts the lines of what is passed over.
  void MoveTo(size_t offset) {
    line_ +=
        static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(position_),
                                    source_.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
    line_starting_ = offset > position_ && source_[offset - 1] == '\n';
    position_ = offset;
  }
  void Emit(TokenKind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), 0, line_});
  }
  absl::Status Error(std::string_view what) const {
    return InvalidArgument("template:{}: {}", line_, what);
  }

  size_t FindTag(size_t offset) const;
  void EmitData(size_t tag, char sign, bool is_print);
  absl::Status Root();
  absl::Status Comment();
  bool RawBegin(size_t tag, size_t& body) const;
  absl::Status Raw(size_t body);
  absl::Status Inside(bool is_print);
  bool AtTagEnd(bool is_print, size_t& after) const;
  size_t AfterTagEnd(size_t closing, size_t length, bool trims) const;
  absl::Status Code();
  absl::Status Number();
  absl::Status String();
  absl::Status Operator();

  const std::string source_;
  size_t position_ = 0;
  int line_ = 1;
  // The position is at a start of line, or follows a tag that ate the newline.
  bool line_starting_ = true;
  std::string open_;  // the brackets open in this tag
  std::vector<Token> tokens_;
};

size_t Lexer::FindTag(size_t offset) const {
  while ((offset = source_.find('{', offset)) != std::string::npos) {
    const char next = At(offset + 1);
    if (next == '%' || next == '{' || next == '#') return offset;
    ++offset;
  }
  return std::string::npos;
}

// The text up to `tag`, less the white space that the tag's sign or lstrip_blocks takes.
void Lexer::EmitData(size_t tag, char sign, bool is_print) {
  size_t end = tag;
  if (sign == '-') {
    while (end > position_) {
      const size_t last = PreviousOffset(source_, end);
      if (!IsSpace(DecodeUtf8(source_, last).code_point)) break;
      end = last;
    }
  } else if (sign != '+' && !is_print) {
    const size_t newline = tag == position_ ? std::string::npos : source_.rfind('\n', tag - 1);
    const bool has_newline = newline != std::string::npos && newline >= position_;
    const size_t line_begin = has_newline ? newline + 1 : position_;
    if ((has_newline || line_starting_) && SkipSpace(line_begin) >= tag) end = line_begin;
  }
  if (end > position_) Emit(TokenKind::kData, source_.substr(position_, end - position_));
}

absl::Status Lexer::Root() {
  const size_t tag = FindTag(position_);
  if (tag == std::string::npos) {
    Emit(TokenKind::kData, source_.substr(position_));
    MoveTo(source_.size());
    return absl::OkStatus();
  }
  const char kind = source_[tag + 1];
  const char sign = At(tag + 2) == '-' || At(tag + 2) == '+' ? At(tag + 2) : '\0';
  EmitData(tag, sign, kind == '{');
  size_t body = 0;
  if (kind == '%' && RawBegin(tag, body)) return Raw(body);
  MoveTo(tag + (sign == '\0' ? 2 : 3));
  if (kind == '#') return Comment();
  Emit(kind == '{' ? TokenKind::kPrintBegin : TokenKind::kBlockBegin, "");
  return Inside(kind == '{');
}

// Where text goes on after a closing "%}", "#}" or "}}" at `closing`: "-" before it eats white
// space, trim_blocks one newline.
size_t Lexer::AfterTagEnd(size_t closing, size_t length, bool trims) const {
  const char sign = closing > position_ ? source_[closing - 1] : '\0';
  size_t after = closing + length;
  if (sign == '-') return SkipSpace(after);
  if (sign != '+' && trims && At(after) == '\n') ++after;
  return after;
}

absl::Status Lexer::Comment() {
  const size_t closing = source_.find("#}", position_);
  if (closing == std::string::npos) return Error("a comment '{#' is not closed by '#}'");
  MoveTo(AfterTagEnd(closing, 2, true));
  return absl::OkStatus();
}

bool Lexer::RawBegin(size_t tag, size_t& body) const {
  size_t at = tag + 2;
  if (At(at) == '-' || At(at) == '+') ++at;
  at = SkipSpace(at);
  if (!LooksAt("raw", at)) return false;
  at = SkipSpace(at + 3);
  if (LooksAt("-%}", at)) {
    body = SkipSpace(at + 3);
    return true;
  }
  body = at + 2;
  return LooksAt("%}", at);
}

absl::Status Lexer::Raw(size_t body) {
  MoveTo(body);
  for (size_t tag = body; (tag = source_.find("{%", tag)) != std::string::npos; ++tag) {
    size_t at = tag + 2;
    const char sign = At(at) == '-' || At(at) == '+' ? At(at) : '\0';
    at = SkipSpace(sign == '\0' ? at : at + 1);
    if (!LooksAt("endraw", at)) continue;
    at = SkipSpace(at + 6);
    if (At(at) == '-' || At(at) == '+') ++at;
    if (!LooksAt("%}", at)) continue;
    EmitData(tag, sign, false);
    MoveTo(AfterTagEnd(at, 2, true));
    return absl::OkStatus();
  }
  return Error("'{% raw %}' is not closed by '{% endraw %}'");
}

bool Lexer::AtTagEnd(bool is_print, size_t& after) const {
  if (!open_.empty()) return false;
  size_t closing = position_;
  if (At(closing) == '-' || (At(closing) == '+' && !is_print)) ++closing;
  if (!LooksAt(is_print ? "}}" : "%}", closing)) return false;
  after = AfterTagEnd(closing, 2, !is_print);
  return true;
}

absl::Status Lexer::Inside(bool is_print) {
  open_.clear();
  while (true) {
    size_t after = 0;
    if (AtTagEnd(is_print, after)) {
      Emit(is_print ? TokenKind::kPrintEnd : TokenKind::kBlockEnd, "");
      MoveTo(after);
      return absl::OkStatus();
    }
    const size_t next = SkipSpace(position_);
    if (next != position_) {
      MoveTo(next);
    } else if (position_ >= source_.size()) {
      return Error(is_print ? "'{{' is not closed by '}}'" : "'{%' is not closed by '%}'");
    } else {
      ATOLL_RETURN_IF_ERROR(Code());
    }
  }
}

absl::Status Lexer::Code() {
  const char c = source_[position_];
  if (IsDigit(c)) return Number();
  if (c == '\'' || c == '"') return String();
  if (!IsNameStart(c)) return Operator();
  size_t end = position_ + 1;
  while (IsNamePart(At(end))) ++end;
  Emit(TokenKind::kName, source_.substr(position_, end - position_));
  MoveTo(end);
  return absl::OkStatus();
}

absl::Status Lexer::Number() {
  const bool after_dot = !tokens_.empty() && tokens_.back().IsOperator(".");
  const NumberLiteral literal = ScanNumber(std::string_view(source_).substr(position_),
                                           after_dot ? NumberKind::kInteger : NumberKind::kAny);
  if (!literal.error.empty()) return Error(literal.error);
  Emit(literal.is_float ? TokenKind::kFloat : TokenKind::kInteger, literal.digits);
  tokens_.back().number = literal.number;
  MoveTo(position_ + literal.length);
  return absl::OkStatus();
}

absl::Status Lexer::String() {
  const char quote = source_[position_];
  size_t end = position_ + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) return Error("a string is not closed");
  auto text = Unescape(std::string_view(source_).substr(position_ + 1, end - position_ - 1));
  if (!text.ok()) return Error(MessageOf(text.status()));
  Emit(TokenKind::kString, *std::move(text));
  MoveTo(end + 1);
  return absl::OkStatus();
}

absl::Status Lexer::Operator() {
  static constexpr std::string_view kOperators[] = {
      "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
      "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
  const auto* op = std::find_if(std::begin(kOperators), std::end(kOperators),
                                [&](std::string_view text) { return LooksAt(text, position_); });
  if (op == std::end(kOperators)) {
    const size_t length = DecodeUtf8(source_, position_).size;
    return Error("unexpected character '" + source_.substr(position_, length) + "'");
  }
  if (*op == "(" || *op == "[" || *op == "{") {
    open_ += *op == "(" ? ')' : *op == "[" ? ']' : '}';
  } else if (*op == ")" || *op == "]" || *op == "}") {
    if (open_.empty()) return Error("unexpected '" + std::string(*op) + "'");
    if (open_.back() != op->front()) {
      return Error("unexpected '" + std::string(*op) + "', expected '" + open_.back() + "'");
    }
    open_.pop_back();
  }
  Emit(TokenKind::kOperator, std::string(*op));
  MoveTo(position_ + op->size());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source) { return Lexer(source).Run(); }

}  // namespace atl::jinja
