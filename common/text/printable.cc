#include "common/text/printable.h"

#include <fmt/format.h>

#include <cstdint>

#include "common/text/utf8.h"

namespace atl {
namespace {

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
    const Utf8Step step = DecodeUtf8(rest, 0);
    const std::string_view character = rest.substr(0, step.valid ? step.size : 1);
    if (!step.valid || IsControl(character)) {
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
