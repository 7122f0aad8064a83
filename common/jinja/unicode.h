// Code points as Python's str sees them, over valid UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace atl::jinja {

// The code point that starts at `offset` of valid UTF-8, and how many bytes it takes.
struct CodePoint {
  char32_t value;
  size_t length;
};
CodePoint CodePointAt(std::string_view text, size_t offset);
// Where the code point before `offset` starts; offset > 0.
size_t PreviousOffset(std::string_view text, size_t offset);

bool IsValidUtf8(std::string_view text);
size_t CountCodePoints(std::string_view text);
// Where each code point starts, and text.size() last.
std::vector<size_t> CodePointOffsets(std::string_view text);
void AppendUtf8(std::string& out, char32_t value);

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
