#include "common/text/base64.h"

#include <cstdint>

namespace atl {
namespace {

// -1: none of the 64.
int DigitOf(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

absl::StatusOr<std::vector<std::byte>> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return InvalidArgument("{} characters, expected a multiple of four (padded with =)",
                           text.size());
  }
  size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int num_bits = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int digit = DigitOf(text[i]);
    if (digit < 0) return InvalidArgument("character {} is no digit of base64", i);
    bits = (bits << 6 | static_cast<uint32_t>(digit)) & 0xffff;
    num_bits += 6;
    if (num_bits < 8) continue;
    num_bits -= 8;
    bytes.push_back(static_cast<std::byte>(bits >> num_bits & 0xff));
  }
  if ((bits & ((1u << num_bits) - 1)) != 0) {
    return InvalidArgument("character {} has bits that belong to no byte", digits - 1);
  }
  return bytes;
}

}  // namespace atl
