#include "common/tokenizer/pre_tokenizer/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/check.h"
#include "common/text/utf8.h"
#include "common/tokenizer/pre_tokenizer/unicode_versions.h"

namespace atl {
namespace {

constexpr char32_t kNumCodePoints = 0x110000;
constexpr auto kNfc = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
// U+FDFA decomposes into 18 code points, but by compatibility; no canonical decomposition has more
// than 4.
constexpr int kDecompositionMax = 32;

// PropList.txt, property White_Space: 25 code points.
constexpr std::array<char32_t, 25> kWhiteSpace = {
    0x09,   0x0A,   0x0B,   0x0C,   0x0D,   0x20,   0x85,   0xA0,   0x1680,
    0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008,
    0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};

CharClass ClassOf(char32_t code_point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return CharClass::kLetter;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return CharClass::kMark;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return CharClass::kNumber;
    default:
      return CharClass::kOther;
  }
}

struct Decomposition {
  std::array<utf8proc_int32_t, kDecompositionMax> code_points;
  int size;
};

// The full canonical decomposition; of most code points, the code point itself.
Decomposition Decompose(char32_t code_point) {
  Decomposition result;
  int last_boundclass = 0;
  const utf8proc_ssize_t size =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code_point), result.code_points.data(),
                              kDecompositionMax, kNfc, &last_boundclass);
  CHECK(size >= 1 && size <= kDecompositionMax, "utf8proc decomposes U+{:04X} into {}",
        static_cast<uint32_t>(code_point), size);
  result.size = static_cast<int>(size);
  return result;
}

int CombiningClass(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

// What NFC has to know of a code point.
enum class Role : unsigned char {
  kActs,   // may change, or act together with what stands before it
  kPlain,  // neither, so that text may be cut before it and normalised piece by piece
  kInert,  // nor together with what follows: text may be cut behind it as well
};

std::vector<Role> RoleTable() {
  std::vector<bool> follows(kNumCodePoints, false);  // may be the second half of a composition
  std::vector<bool> changes(kNumCodePoints, false);
  std::vector<char32_t> first(kNumCodePoints);
  for (char32_t c = 0; c < kNumCodePoints; ++c) {
    first[c] = c;
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    Decomposition parts = Decompose(c);
    first[c] = static_cast<char32_t>(parts.code_points[0]);
    if (parts.size == 1 && first[c] == c) continue;
    for (int i = 1; i < parts.size; ++i) follows[static_cast<size_t>(parts.code_points[i])] = true;
    const utf8proc_ssize_t size =
        utf8proc_normalize_utf32(parts.code_points.data(), parts.size, kNfc);
    changes[c] = size != 1 || parts.code_points[0] != static_cast<utf8proc_int32_t>(c);
  }
  std::vector<Role> roles(kNumCodePoints);
  for (char32_t c = 0; c < kNumCodePoints; ++c) {
    const bool plain = !changes[c] && !follows[c] && !follows[first[c]] &&
                       CombiningClass(static_cast<utf8proc_int32_t>(c)) == 0 &&
                       CombiningClass(static_cast<utf8proc_int32_t>(first[c])) == 0;
    roles[c] = plain ? Role::kPlain : Role::kActs;
  }
  for (const CodePointRange& range : kInertUnderNfc) {
    for (char32_t c = range.first; c <= range.last; ++c) roles[c] = Role::kInert;
  }
  return roles;
}

Role RoleOf(char32_t code_point) {
  static const std::vector<Role>& table = *new std::vector<Role>(RoleTable());
  return table[code_point];
}

// Normalises one stretch. utf8proc's own decomposition sorts marks by exchanging neighbours, which
// a hostile run of marks makes quadratic; so the marks are sorted here.
void NormalizeStretch(std::string_view text, std::string* out) {
  std::vector<utf8proc_int32_t> buffer;
  buffer.reserve(text.size() * 2);
  for (size_t offset = 0; offset < text.size();) {
    const Utf8Step step = DecodeUtf8(text, offset);
    const Decomposition parts = Decompose(step.code_point);
    buffer.insert(buffer.end(), parts.code_points.begin(), parts.code_points.begin() + parts.size);
    offset += step.size;
  }
  const auto is_starter = [](utf8proc_int32_t c) { return CombiningClass(c) == 0; };
  for (auto begin = buffer.begin(); begin != buffer.end();) {
    begin = std::find_if_not(begin, buffer.end(), is_starter);
    const auto end = std::find_if(begin, buffer.end(), is_starter);
    if (end - begin > 1) {
      std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
        return CombiningClass(a) < CombiningClass(b);
      });
    }
    begin = end;
  }
  const utf8proc_ssize_t size =
      utf8proc_normalize_utf32(buffer.data(), static_cast<utf8proc_ssize_t>(buffer.size()), kNfc);
  CHECK(size >= 0, "utf8proc_normalize_utf32: {}", utf8proc_errmsg(size));
  for (utf8proc_ssize_t i = 0; i < size; ++i) {
    AppendUtf8(static_cast<char32_t>(buffer[static_cast<size_t>(i)]), out);
  }
}

}  // namespace

const CharClass* CharClasses() {
  static const CharClass* const table = [] {
    auto* classes = new CharClass[kNumCodePoints];
    for (char32_t c = 0; c < kNumCodePoints; ++c) classes[c] = ClassOf(c);
    for (const char32_t c : kWhiteSpace) classes[c] = CharClass::kSpace;
    for (const ClassRange& range : kClassesSinceUnicode15) {
      std::fill(classes + range.first, classes + range.last + 1, range.char_class);
    }
    return classes;
  }();
  return table;
}

std::string_view Nfc(std::string_view text, std::string* storage) {
  storage->clear();
  size_t copied = 0;  // text before this offset is in *storage
  size_t offset = AsciiEnd(text, 0);
  // Where a stretch would begin: a plain character before `offset` may be the base of its marks.
  size_t begin = offset == 0 ? 0 : offset - 1;
  while (offset < text.size()) {
    const Utf8Step step = DecodeUtf8(text, offset);
    if (const Role role = RoleOf(step.code_point); role != Role::kActs) {
      const size_t after = offset + step.size;
      begin = role == Role::kInert ? after : offset;
      offset = AsciiEnd(text, after);
      if (offset != after) begin = offset - 1;
      continue;
    }
    size_t end = offset + step.size;
    while (end < text.size()) {
      const Utf8Step next = DecodeUtf8(text, end);
      if (RoleOf(next.code_point) != Role::kActs) break;
      end += next.size;
    }
    storage->append(text, copied, begin - copied);
    NormalizeStretch(text.substr(begin, end - begin), storage);
    copied = begin = offset = end;
  }
  if (copied == 0) return text;
  storage->append(text, copied);
  return *storage;
}

void BuildUnicodeTables() {
  CharClasses();
  RoleOf('a');
}

}  // namespace atl
