#include "common/jinja/values/unicode.h"
#include "common/text/utf8.h"

#include <utf8proc.h>

namespace atl::jinja {

namespace {

utf8proc_category_t Category(char32_t value) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(value));
}

}  // namespace

bool IsSpace(char32_t value) {
  if (value < 0x80) return (value >= 0x09 && value <= 0x0D) || (value >= 0x1C && value <= 0x20);
  return value == 0x85 || value == 0xA0 || value == 0x1680 ||
         (value >= 0x2000 && value <= 0x200A) || value == 0x2028 || value == 0x2029 ||
         value == 0x202F || value == 0x205F || value == 0x3000;
}

bool IsLineBreak(char32_t value) {
  return (value >= 0x0A && value <= 0x0D) || (value >= 0x1C && value <= 0x1E) || value == 0x85 ||
         value == 0x2028 || value == 0x2029;
}

bool IsAlpha(char32_t value) {
  const auto category = Category(value);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool IsPrintableCategory(char32_t value) {
  const auto category = Category(value);
  return category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS;
}

bool IsDecimalDigit(char32_t value) { return Category(value) == UTF8PROC_CATEGORY_ND; }

bool IsUpper(char32_t value) { return utf8proc_isupper(static_cast<utf8proc_int32_t>(value)) != 0; }

bool IsLower(char32_t value) { return utf8proc_islower(static_cast<utf8proc_int32_t>(value)) != 0; }

namespace {

bool IsCased(char32_t value) {
  return IsUpper(value) || IsLower(value) || Category(value) == UTF8PROC_CATEGORY_LT;
}

// What Unicode's rule for the final sigma looks past.
bool IsCaseIgnorable(char32_t value) {
  switch (Category(value)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return value == '\'' || value == '.' || value == ':' || value == 0xB7 || value == 0x2019;
  }
}

// Ends a word: a letter before it, none after.
bool IsFinalSigma(std::string_view text, size_t offset) {
  bool after_letter = false;
  for (size_t at = offset; at > 0 && !after_letter;) {
    at = PreviousOffset(text, at);
    const char32_t value = DecodeUtf8(text, at).code_point;
    if (!IsCaseIgnorable(value) && !IsCased(value)) return false;
    after_letter = IsCased(value);
  }
  if (!after_letter) return false;
  for (size_t at = offset + DecodeUtf8(text, offset).size; at < text.size();) {
    const Utf8Step point = DecodeUtf8(text, at);
    if (IsCased(point.code_point)) return false;
    if (!IsCaseIgnorable(point.code_point)) return true;
    at += point.size;
  }
  return true;
}

}  // namespace

void AppendLower(std::string& out, std::string_view text, size_t offset) {
  const char32_t value = DecodeUtf8(text, offset).code_point;
  if (value == 0x130) {  // İ keeps its dot
    out += "i\u0307";
  } else if (value == 0x3A3 && IsFinalSigma(text, offset)) {
    AppendUtf8(0x3C2, &out);
  } else {
    AppendUtf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(value))), &out);
  }
}

namespace {

// The commonest of what Unicode's SpecialCasing writes as several characters.
struct SpecialCase {
  char32_t value;
  std::string_view upper;
  std::string_view title;
};
constexpr SpecialCase kSpecialCases[] = {{0x00DF, "SS", "Ss"},  // ß
                                         {0x0149, "\u02BCN", "\u02BCN"}, {0xFB00, "FF", "Ff"},
                                         {0xFB01, "FI", "Fi"},           {0xFB02, "FL", "Fl"},
                                         {0xFB03, "FFI", "Ffi"},         {0xFB04, "FFL", "Ffl"}};

}  // namespace

void AppendUpper(std::string& out, char32_t value) {
  for (const SpecialCase& special : kSpecialCases) {
    if (special.value == value) {
      out += special.upper;
      return;
    }
  }
  AppendUtf8(static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(value))), &out);
}

void AppendTitle(std::string& out, char32_t value) {
  for (const SpecialCase& special : kSpecialCases) {
    if (special.value == value) {
      out += special.title;
      return;
    }
  }
  AppendUtf8(static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(value))), &out);
}

}  // namespace atl::jinja
