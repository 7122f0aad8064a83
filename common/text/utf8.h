// UTF-8 as Unicode defines it (no surrogates, no overlong forms, nothing above U+10FFFF), and its
// repair by the rule of maximal subparts, which Python's errors="replace" and Rust's
// from_utf8_lossy share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace atl {

// One step of decoding: `size` bytes are one character, or (valid = false) one maximal subpart to
// be replaced.
struct Utf8Step {
  char32_t code_point = 0;
  uint8_t size = 0;
  bool valid = false;
  bool cut_short = false;  // not valid only because the text ended: more bytes could complete it
};

// Decodes the step that begins at `offset`, which is less than text.size().
Utf8Step DecodeUtf8(std::string_view text, size_t offset);

// The offset of the first byte at or after `offset` that is not ASCII; text.size() without one.
size_t AsciiEnd(std::string_view text, size_t offset);

// The offset of the first byte that is no part of a valid character; text.size() when all of it is
// valid.
size_t FirstInvalidUtf8(std::string_view text);
inline bool IsValidUtf8(std::string_view text) { return FirstInvalidUtf8(text) == text.size(); }

void AppendUtf8(char32_t code_point, std::string* out);

// Of valid text: where the code point before `offset` starts (offset > 0); how many there are;
// where each starts, and text.size() last.
size_t PreviousOffset(std::string_view text, size_t offset);
size_t CountCodePoints(std::string_view text);
std::vector<size_t> CodePointOffsets(std::string_view text);

// Turns a stream of bytes into whole characters: what is invalid becomes U+FFFD, what may yet be
// completed waits. The output does not depend on how the bytes were cut.
class Utf8Repairer {
 public:
  void Append(std::string_view bytes, std::string* out);
  // Replaces what still waits; the repairer is then as new.
  void Finish(std::string* out);

 private:
  std::string waiting_;  // at most three bytes
};

}  // namespace atl
