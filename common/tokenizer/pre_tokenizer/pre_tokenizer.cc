#include "common/tokenizer/pre_tokenizer/pre_tokenizer.h"

#include "common/text/utf8.h"
#include "common/tokenizer/pre_tokenizer/unicode.h"

namespace atl {
namespace {

constexpr std::string_view kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// A character with what the expression asks of it; size 0 stands for the end of the text.
struct Char {
  char32_t code_point = 0;
  size_t size = 0;
  CharClass char_class = CharClass::kOther;

  bool is_end() const { return size == 0; }
  bool is_newline() const { return code_point == '\r' || code_point == '\n'; }
  bool is_space() const { return size != 0 && char_class == CharClass::kSpace; }
};

class Scanner {
 public:
  Scanner(std::string_view text, Pattern pattern) : text_(text), pattern_(pattern) {}

  Char At(size_t offset) const {
    if (offset >= text_.size()) return {};
    const auto byte = static_cast<uint8_t>(text_[offset]);
    if (byte < 0x80) return {byte, 1, classes_[byte]};
    const Utf8Step step = DecodeUtf8(text_, offset);
    return {step.code_point, step.size, classes_[step.code_point]};
  }

  // [\p{L}\p{M}] or \p{L}.
  bool IsWordPart(const Char& c) const {
    return !c.is_end() && (c.char_class == CharClass::kLetter ||
                           (c.char_class == CharClass::kMark && pattern_ == Pattern::kQwen35));
  }

  // [^\s\p{L}\p{M}\p{N}] or [^\s\p{L}\p{N}].
  bool IsSymbol(const Char& c) const {
    return !c.is_end() && (c.char_class == CharClass::kOther ||
                           (c.char_class == CharClass::kMark && pattern_ == Pattern::kQwen2));
  }

  template <typename Predicate>
  size_t SkipWhile(size_t offset, Predicate predicate) const {
    for (Char c = At(offset); !c.is_end() && predicate(c); c = At(offset)) offset += c.size;
    return offset;
  }

  // The end of a contraction whose apostrophe stands before `offset`; 0 when there is none.
  size_t ContractionEnd(size_t offset) const;

  // The end of the white space that begins at `begin`: alternatives five to seven.
  size_t SpaceEnd(size_t begin) const;

 private:
  std::string_view text_;
  Pattern pattern_;
  const CharClass* classes_ = CharClasses();
};

char32_t FoldToAscii(char32_t c) {
  if (c >= 'A' && c <= 'Z') return c + ('a' - 'A');
  return c == U'\u017F'
             ? U's'
             : c;  // the long s; no other character folds to a letter of the contractions
}

size_t Scanner::ContractionEnd(size_t offset) const {
  const Char first = At(offset);
  const char32_t a = FoldToAscii(first.code_point);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return offset + first.size;
  const Char second = At(offset + first.size);
  const char32_t b = FoldToAscii(second.code_point);
  const bool two = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
  return two ? offset + first.size + second.size : 0;
}

size_t Scanner::SpaceEnd(size_t begin) const {
  size_t after_newline = 0;  // behind the last CR or LF of the run
  size_t last = begin;       // where the last character of the run begins
  size_t end = begin;
  for (Char c = At(end); c.is_space(); c = At(end)) {
    last = end;
    end += c.size;
    if (c.is_newline()) after_newline = end;
  }
  if (after_newline != 0) return after_newline;
  // Without a newline, a run before a word leaves its last space to the word, unless that is all
  // there is.
  return end == text_.size() || last == begin ? end : last;
}

}  // namespace

std::string_view RegexOf(Pattern pattern) {
  return pattern == Pattern::kQwen2 ? kQwen2Regex : kQwen35Regex;
}

std::optional<Pattern> PatternOfRegex(std::string_view regex) {
  if (regex == kQwen2Regex) return Pattern::kQwen2;
  if (regex == kQwen35Regex) return Pattern::kQwen35;
  return std::nullopt;
}

size_t WordEnd(std::string_view text, size_t begin, Pattern pattern) {
  const Scanner scanner(text, pattern);
  const auto is_word_part = [&](const Char& c) { return scanner.IsWordPart(c); };
  const auto is_symbol = [&](const Char& c) { return scanner.IsSymbol(c); };
  const auto is_newline = [](const Char& c) { return c.is_newline(); };

  const Char first = scanner.At(begin);
  const size_t second_at = begin + first.size;
  if (first.code_point == '\'') {
    const size_t end = scanner.ContractionEnd(second_at);
    if (end != 0) return end;
  }
  // A letter, or anything but newline and number before a letter. (A mark is both: the result is
  // the same.)
  const bool may_lead = !first.is_newline() && first.char_class != CharClass::kNumber;
  const Char second = scanner.At(second_at);
  if (scanner.IsWordPart(first) || (may_lead && scanner.IsWordPart(second))) {
    return scanner.SkipWhile(second_at, is_word_part);
  }
  if (first.char_class == CharClass::kNumber) return second_at;
  if (scanner.IsSymbol(first) || (first.code_point == ' ' && scanner.IsSymbol(second))) {
    return scanner.SkipWhile(scanner.SkipWhile(second_at, is_symbol), is_newline);
  }
  return scanner.SpaceEnd(begin);
}

}  // namespace atl
