#include "common/text/printable.h"

#include <fmt/format.h>

#include <cstdint>

namespace atl {
namespace {

// Bytes of the well-formed UTF-8 character at the start of `text`, 0 where there is none (Unicode,
// table 3-7).
size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
  const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < size; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return size;
}

// Characters that move the cursor or end the line: C0, DEL, C1, the line and paragraph separators.
bool IsControl(std::string_view character) {
  const auto lead = static_cast<uint8_t>(character[0]);
  if (character.size() == 1) return lead < 0x20 || lead == 0x7f;
  const auto second = static_cast<uint8_t>(character[1]);
  return (lead == 0xc2 && second < 0xa0) || character == "\u2028" || character == "\u2029";
}

}  // namespace

std::string Printable(std::string_view text, size_t size_bytes_max) {
  constexpr std::string_view kCut = "...";
  std::string line;
  size_t fits = 0;  // bytes of `line` that leave room for the mark of a cut
  for (std::string_view rest = text; !rest.empty();) {
    const size_t known = CharacterBytes(rest);
    const std::string_view character = rest.substr(0, known == 0 ? 1 : known);
    if (known == 0 || IsControl(character)) {
      for (const char c : character)
        line += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<uint8_t>(c)));
    } else {
      line += character;
    }
    if (line.size() > size_bytes_max) {
      line.resize(fits);
      return line.append(kCut);
    }
    if (line.size() + kCut.size() <= size_bytes_max) fits = line.size();
    rest.remove_prefix(character.size());
  }
  return line;
}

}  // namespace atl
