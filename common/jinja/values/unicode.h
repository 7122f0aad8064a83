// Characters as Python's str sees them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace atl::jinja {

bool IsSpace(char32_t value);  // str.isspace
bool IsAlpha(char32_t value);
bool IsDecimalDigit(char32_t value);
bool IsUpper(char32_t value);
bool IsLower(char32_t value);
// Neither a control, format, private, unassigned nor separator character.
bool IsPrintableCategory(char32_t value);
bool IsLineBreak(char32_t value);  // of str.splitlines

// Upper and title case may be several code points, as "SS" of "ß".
// The lower case of the code point at `offset`, which for a sigma depends on its neighbours.
void AppendLower(std::string& out, std::string_view text, size_t offset);
void AppendUpper(std::string& out, char32_t value);
void AppendTitle(std::string& out, char32_t value);

}  // namespace atl::jinja
