// What the tokenizer must know of Unicode: letter, mark, number, white space, and normalisation
// form C. The tables come from utf8proc (Unicode 15), but for what unicode_versions.h says, and are
// built once, at the first use. All functions are thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace atl {

enum class CharClass : unsigned char {
  kOther,   // punctuation, symbols, controls, unassigned
  kLetter,  // general category L
  kMark,    // general category M
  kNumber,  // general category N
  kSpace,   // property White_Space
};

// The class of every code point, indexed by the code point; lives as long as the program.
const CharClass* CharClasses();

// `text`, valid UTF-8, in normalisation form C: the text itself when it already is (ASCII always
// is), else *storage, which the result then points into. Linear but for a sort within each run of
// combining marks.
std::string_view Nfc(std::string_view text, std::string* storage);

// Builds the tables now, some 40 ms, and not in somebody's first request.
void BuildUnicodeTables();

}  // namespace atl
