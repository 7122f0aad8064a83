#include "common/jinja/values/literal.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/jinja/values/text.h"
#include "common/jinja/values/text_ops.h"
#include "common/jinja/values/unicode.h"
#include "common/text/utf8.h"

namespace atl::jinja {
namespace {

int DigitValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

// The end of a run of digits with single underscores between them; `begin` if none starts there.
size_t EndOfDigits(std::string_view text, size_t begin, int base) {
  size_t end = begin;
  while (end < text.size()) {
    size_t digit = end;
    if (text[digit] == '_' && end > begin) ++digit;
    if (digit >= text.size() || DigitValue(text[digit]) >= base) break;
    end = digit + 1;
  }
  return end;
}

std::string WithoutUnderscores(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c != '_') result += c;
  }
  return result;
}

// The end of ".5e-3" and the like at `at`; `at` if there is no fraction and no exponent.
size_t EndOfFraction(std::string_view text, size_t at) {
  if (at < text.size() && text[at] == '.') {
    const size_t fraction = EndOfDigits(text, at + 1, 10);
    if (fraction > at + 1) at = fraction;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    size_t digits = at + 1;
    if (digits < text.size() && (text[digits] == '+' || text[digits] == '-')) ++digits;
    const size_t end = EndOfDigits(text, digits, 10);
    if (end > digits) at = end;
  }
  return at;
}

}  // namespace

NumberLiteral ScanNumber(std::string_view text, NumberKind kind) {
  NumberLiteral result;
  const size_t whole = EndOfDigits(text, 0, 10);
  const size_t end = kind == NumberKind::kInteger ? whole : EndOfFraction(text, whole);
  if (end > whole) {
    result.is_float = true;
    result.length = end;
    ParseFloat(text.substr(0, end), result.number);
    return result;
  }
  if (text.size() > 2 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    const size_t stop = base == 0 ? 0 : EndOfDigits(text, 2, base);
    if (stop > 2) {
      int64_t value = 0;
      if (!ParseInteger(text.substr(2, stop - 2), base, value)) {
        result.error = "the integer is too large";
      }
      result.digits = std::to_string(value);
      result.length = stop;
      return result;
    }
  }
  result.length = whole;
  result.digits = WithoutUnderscores(text.substr(0, whole));
  const size_t significant = result.digits.find_first_not_of('0');
  if (significant == std::string::npos) {
    result.digits = "0";
  } else if (significant > 0) {
    result.error = "an integer may not start with 0";
  }
  return result;
}

namespace {

// Reads `count` hexadecimal digits at `offset`.
absl::StatusOr<char32_t> HexEscape(std::string_view text, size_t offset, size_t count) {
  char32_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    const int digit = offset + i < text.size() ? DigitValue(text[offset + i]) : 99;
    if (digit >= 16) return InvalidArgument("a string has a truncated \\x, \\u or \\U escape");
    value = value * 16 + static_cast<char32_t>(digit);
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
    return InvalidArgument("a string escapes a value that is no Unicode character");
  }
  return value;
}

constexpr std::array<std::pair<char, char>, 10> kSimpleEscapes = {{{'n', '\n'},
                                                                   {'t', '\t'},
                                                                   {'r', '\r'},
                                                                   {'\\', '\\'},
                                                                   {'\'', '\''},
                                                                   {'"', '"'},
                                                                   {'a', '\a'},
                                                                   {'b', '\b'},
                                                                   {'f', '\f'},
                                                                   {'v', '\v'}}};

// Appends what the escape at `at` (after the backslash) stands for and returns its length.
absl::StatusOr<size_t> AppendEscape(std::string_view text, size_t at, std::string& out) {
  const char c = text[at];
  for (const auto& [name, value] : kSimpleEscapes) {
    if (name == c) {
      out += value;
      return 1;
    }
  }
  if (c == '\n') return 1;
  if (c == 'N') return InvalidArgument("escapes by character name (\\N) are not supported");
  if (c >= '0' && c <= '7') {
    size_t length = 0;
    char32_t value = 0;
    while (length < 3 && at + length < text.size() && DigitValue(text[at + length]) < 8) {
      value = value * 8 + static_cast<char32_t>(DigitValue(text[at + length++]));
    }
    AppendUtf8(value, &out);
    return length;
  }
  const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0) {  // as Python: an unknown escape stays as written
    out += '\\';
    out += c;
    return 1;
  }
  ATOLL_ASSIGN_OR_RETURN(const char32_t value, HexEscape(text, at + 1, digits));
  AppendUtf8(value, &out);
  return digits + 1;
}

}  // namespace

absl::StatusOr<std::string> Unescape(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      result += text[i++];
      continue;
    }
    ATOLL_ASSIGN_OR_RETURN(const size_t length, AppendEscape(text, i + 1, result));
    i += 1 + length;
  }
  return result;
}

namespace {

std::string_view Trimmed(std::string_view text) {
  size_t begin = 0;
  while (begin < text.size() && IsSpace(DecodeUtf8(text, begin).code_point)) {
    begin += DecodeUtf8(text, begin).size;
  }
  size_t end = text.size();
  while (end > begin) {
    const size_t last = PreviousOffset(text, end);
    if (!IsSpace(DecodeUtf8(text, last).code_point)) break;
    end = last;
  }
  return text.substr(begin, end - begin);
}

}  // namespace

bool ParseInteger(std::string_view text, int base, int64_t& value) {
  text = Trimmed(text);
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.size() > 2 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    if ((base == 16 && mark == 'x') || (base == 8 && mark == 'o') || (base == 2 && mark == 'b')) {
      text.remove_prefix(2);
    }
  }
  if (text.empty() || EndOfDigits(text, 0, base) != text.size()) return false;
  std::string digits = WithoutUnderscores(text);
  if (negative) digits.insert(digits.begin(), '-');
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  return error == std::errc() && end == digits.data() + digits.size();
}

bool ParseFloat(std::string_view text, double& value) {
  text = Trimmed(text);
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  std::string lower;
  for (const char c : text) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  if (lower == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (lower == "inf" || lower == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else {
    const std::string digits = WithoutUnderscores(lower);
    if (digits.empty() || !((digits[0] >= '0' && digits[0] <= '9') || digits[0] == '.'))
      return false;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (end != digits.data() + digits.size()) return false;
    // from_chars leaves the value alone when it is out of range; Python rounds to infinity or zero.
    if (error == std::errc::result_out_of_range) value = std::strtod(digits.c_str(), nullptr);
  }
  if (negative) value = -value;
  return true;
}

std::string FormatFloat(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 40> buffer;
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                     std::chars_format::scientific);
  CHECK(written.ec == std::errc());
  const std::string_view shortest(buffer.data(), static_cast<size_t>(written.ptr - buffer.data()));
  const size_t mark = shortest.find('e');
  std::string digits;
  std::string result;
  for (const char c : shortest.substr(0, mark)) {
    if (c == '-') {
      result += '-';
    } else if (c != '.') {
      digits += c;
    }
  }
  int exponent = 0;
  const std::string_view power = shortest.substr(mark + (shortest[mark + 1] == '+' ? 2 : 1));
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  if (exponent < -4 || exponent >= 16) {
    result += digits[0];
    if (digits.size() > 1) result += "." + digits.substr(1);
    const int magnitude = std::abs(exponent);
    return result + (exponent < 0 ? "e-" : "e+") + (magnitude < 10 ? "0" : "") +
           std::to_string(magnitude);
  }
  if (exponent < 0)
    return result + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole)
    return result + digits + std::string(whole - digits.size(), '0') + ".0";
  return result + digits.substr(0, whole) + "." + digits.substr(whole);
}

}  // namespace atl::jinja
